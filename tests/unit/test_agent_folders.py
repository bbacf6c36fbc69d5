"""What is left on a vehicle's disk by the agent before, and by slots that have ended."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from parkade_agent.folders import LastFolders, emptied, is_file_name, socket_folder
from parkade_agent.settings import Places


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's runtime folder."""
    with tempfile.TemporaryDirectory(prefix="run") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_a_short_state_folder_holds_its_sockets(runtime: Path) -> None:
    """Sockets are beside the vehicle's other files when their addresses fit."""
    assert socket_folder(runtime / "state") == runtime / "state" / "sockets"


def test_a_long_state_folder_has_one_place_for_its_sockets(runtime: Path, tmp_path: Path) -> None:
    """The next agent finds the same folder elsewhere, so a SIGKILL leaves nothing for ever; a wipe finds it, too."""
    state = tmp_path / ("x" * 100)
    first = socket_folder(state)
    assert first.parent == runtime
    assert socket_folder(state) == first
    assert first / "sidecar" in Places(state_dir=state).of_others
    assert socket_folder(tmp_path / ("y" * 100)) != first


def test_a_runtime_folder_that_is_too_long_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of temporary files is the last resort."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("r" * 100)))
    assert socket_folder(tmp_path / ("x" * 100)).parent == Path(tempfile.gettempdir())


def test_an_emptied_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    """What is in it is removed, and nobody else may look."""
    (tmp_path / "slots" / "pod-1").mkdir(parents=True)
    folder = emptied(tmp_path / "slots")
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """In a shared folder another user may have put a link under the same name: that is an error, not a door."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    (tmp_path / "sockets").symlink_to(tmp_path / "theirs")
    with pytest.raises(FileExistsError):
        emptied(tmp_path / "sockets")
    assert (tmp_path / "theirs" / "file").exists()


def test_only_the_last_folders_are_kept(tmp_path: Path) -> None:
    """The oldest goes; one that is in use again stays, and is the newest when it comes back."""
    folders = [tmp_path / str(number) for number in range(5)]
    last = LastFolders(2)
    for folder in folders:
        folder.mkdir()
    for number in (0, 1, 0, 2):
        last.keep(folders[number])
    assert [folder.exists() for folder in folders] == [True, False, True, True, True]
    last.leave(folders[0])
    for number in (3, 4):
        last.keep(folders[number])
    assert [folder.exists() for folder in folders] == [True, False, False, True, True]


@pytest.mark.parametrize(
    ("name", "is_good"),
    [("000001-a.out", True), (".a", True), ("a..b", True)]
    + [(name, False) for name in ("", ".", "..", "a/b", "/a", "a/", "../a", "a\0b")],
)
def test_a_file_name_cannot_leave_its_folder(name: str, is_good: bool) -> None:  # noqa: FBT001 - a table
    """What a slot's program names is looked for in the slot's folder and nowhere else."""
    assert is_file_name(name) is is_good
