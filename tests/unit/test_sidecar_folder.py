"""The slot's folder: nothing outside of it can be read or written by a request."""

import asyncio
import os
from pathlib import Path

import pytest

from parkade_agent.sidecar.errors import FileRefusedError, ResultRefusedError
from parkade_agent.sidecar.folder import SlotFolder
from support.programs import start


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A slot's folder beside a secret."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "slot" / "inner").mkdir(parents=True)
    return tmp_path / "slot"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "/etc/passwd", "inner/x", "a\0b", "absent", "inner"]
)
def test_names_that_are_no_plain_file_are_refused(folder: Path, name: str) -> None:
    """A name that is no plain file of the folder is refused for reading."""
    with pytest.raises(FileRefusedError):
        SlotFolder(folder).read(name)


@pytest.mark.parametrize("name", ["", ".", "..", "../secret", "inner/x", "a\0b"])
def test_results_stay_in_the_folder(folder: Path, name: str) -> None:
    """A name that leads elsewhere is refused for writing."""
    with pytest.raises(FileRefusedError):
        SlotFolder(folder).write(name, b"x")
    assert (folder.parent / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("name", ["inner", "n" * 300])
def test_a_result_that_cannot_be_written_leaves_nothing(folder: Path, name: str) -> None:
    """A name that is a folder's, or too long, is told apart from a missing file, and nothing unfinished stays."""
    with pytest.raises(ResultRefusedError, match=f"{name} cannot be written"):
        SlotFolder(folder).write(name, b"x")
    assert [path.name for path in folder.iterdir()] == ["inner"]


def test_symlinks_are_not_followed(folder: Path) -> None:
    """A symlink is refused for reading and replaced, not followed, by a result."""
    (folder / "link").symlink_to(folder.parent / "secret")
    with pytest.raises(FileRefusedError, match="link cannot be opened"):
        SlotFolder(folder).read("link")
    SlotFolder(folder).write("link", b"result")
    assert (folder / "link").read_bytes() == b"result"
    assert (folder.parent / "secret").read_bytes() == b"secret"


def test_named_pipe_is_refused_at_once(folder: Path) -> None:
    """A pipe, which would hold a reader for ever, is refused."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(FileRefusedError, match="not a plain file"):
        SlotFolder(folder).read("pipe")


def test_result_replaces_what_was_there_in_one_step(folder: Path) -> None:
    """A second result takes the place of the first, and nothing unfinished stays behind."""
    slot = SlotFolder(folder)
    slot.write("r", b"one")
    slot.write("r", b"two")
    assert slot.read("r") == b"two"
    assert sorted(path.name for path in folder.iterdir()) == ["inner", "r"]


def test_the_sidecars_own_files_cannot_be_asked_for(folder: Path) -> None:
    """A file that the sidecar keeps for itself has a name that no request may use."""
    slot = SlotFolder(folder)
    with slot.open_own(".own") as file:
        file.write(b"one")
    with slot.open_own(".own") as file:
        file.write(b"two")
        file.seek(0)
        assert file.readall() == b"onetwo"
    for ask in (slot.read, lambda name: slot.write(name, b"x")):
        with pytest.raises(FileRefusedError):
            ask(".own")
    slot.remove_own(".own")
    assert not (folder / ".own").exists()


def test_the_sidecars_own_file_is_never_a_link(folder: Path) -> None:
    """A symlink in the place of one of its own files is refused."""
    (folder / ".own").symlink_to(folder.parent / "secret")
    with pytest.raises(FileRefusedError):
        SlotFolder(folder).open_own(".own")
    assert (folder.parent / "secret").read_bytes() == b"secret"


FILLS = """
from pathlib import Path
from parkade_agent.sidecar.errors import NoSpaceError
from parkade_agent.sidecar.folder import SlotFolder
folder = Path("/tmp")
try:
    SlotFolder(folder).write("result", bytes(64 << 20))
except NoSpaceError as error:
    print(error, list(folder.glob("*result*")))
"""


def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    """It is the vehicle's, not the result's; nothing unfinished stays. The sandbox's scratch space is soon full."""
    with (tmp_path / "out").open("wb") as output:
        group = start(FILLS, tmp_path, output.fileno())
        assert asyncio.run(group.wait()) == 0
    assert (tmp_path / "out").read_text() == "result cannot be written: No space left on device []\n"
