"""The owner's folder on a disk of its own: one that is not mounted is missed, and its mount point is not obeyed."""

import errno
from pathlib import Path

import pytest

from parkade_agent import durable
from parkade_agent.journal.journal import Journal
from parkade_agent.owner.files import OwnerFiles, OwnerFolder, OwnerWord
from parkade_core.vehicle.limits import NO_LIMITS
from support.owners import Owner


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """The owner of vehicle v1, who has said nothing yet."""
    return Owner(tmp_path)


def test_a_folder_that_is_not_there_stops_all_work(tmp_path: Path, owner: Owner) -> None:
    """Caps on a stick that was pulled out still hold: nothing runs."""
    word = OwnerFiles(OwnerFolder(tmp_path / "stick"), lambda: "v1", Journal(owner.state / "j")).read()
    assert "stick is not there" in word.problem
    assert owner.files().read().limits is NO_LIMITS


def test_a_folder_that_was_not_mounted_stops_all_work(owner: Owner) -> None:
    """An empty folder where limits were is not an owner without limits, also after a restart."""
    owner.folder.limits.write_text('{"maxLanes": 1}', encoding="utf-8")
    assert owner.files().read().problem == ""
    away = owner.folder.root.rename(owner.state / "away")
    owner.folder.root.mkdir()
    files = owner.files()
    assert "key.pem was there and is gone: mount the owner's folder" in files.read().problem
    (away / "key.pem").rename(owner.folder.key)
    assert "limits.json was there and is gone" in files.glance(OwnerWord()).problem
    owner.folder.limits.write_text("{}", encoding="utf-8")
    assert "leave an empty file of that name" in files.glance(OwnerWord()).problem
    owner.folder.mark.touch()
    assert files.glance(OwnerWord()).problem == ""


def test_a_pause_outlives_a_failed_mount(owner: Owner) -> None:
    """A folder that held nothing but a pause is missed, too; nothing is left at its mount point meanwhile."""
    owner.folder.key.unlink()
    owner.folder.pause.touch()
    assert owner.files().read().paused_because
    away = owner.folder.root.rename(owner.state / "away")
    owner.folder.root.mkdir()
    for _ in range(2):
        assert (
            "mounted is not the mark that the agent left: mount the owner's folder"
            in owner.files().read().problem
        )
    assert list(owner.folder.root.iterdir()) == []
    owner.folder.root.rmdir()
    away.rename(owner.folder.root)
    word = owner.files().read()
    assert (word.problem, word.paused_because) == ("", "the owner paused")


def test_a_mark_under_the_mount_point_is_another_one(owner: Owner) -> None:
    """A first start before the mount leaves one there; the owner's empty file makes the disk the folder, for good."""
    owner.folder.key.unlink()
    assert owner.files().read().problem == ""
    under = owner.folder.root.rename(owner.state / "under")
    owner.folder.root.mkdir()
    owner.folder.pause.touch()
    assert "leave an empty file" in owner.files().read().problem
    owner.folder.mark.touch()
    word = owner.files().read()
    assert (word.problem, word.paused_because) == ("", "the owner paused")
    assert owner.files().read().problem == ""
    owner.folder.root.rename(owner.state / "stick")
    under.rename(owner.folder.root)
    assert "leave an empty file" in owner.files().read().problem


def test_a_mark_without_room_is_filled_later(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one, on a full disk or after a power cut, is the agent's own as well."""
    with monkeypatch.context() as patch:
        patch.setattr(durable, "write", _no_room)
        for _ in range(2):
            assert owner.files().read().problem == ""
        assert owner.folder.mark.read_text(encoding="ascii") == ""
    assert owner.files().read().problem == ""
    assert owner.folder.mark.read_text(encoding="ascii")


def _no_room(path: Path, _data: bytes) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))
