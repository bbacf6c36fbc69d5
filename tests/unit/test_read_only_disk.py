"""A vehicle's disk that has become read-only: the agent says so, and the owner is told how else to stop it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parkade_agent.errors import JournalBroken
from parkade_agent.journal import journal as journals
from parkade_agent.journal.journal import Journal
from support.owner_line import Line
from support.owners import Owner
from support.power_cut import Disk, NoDisk


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state folder of a vehicle whose owner has agreed, on a disk with room enough that takes nothing more."""
    monkeypatch.setattr(journals, "LEAST_FREE_BYTES", 1 << 20)
    try:
        disk = Disk(tmp_path)
        with disk.mounted() as place:
            Owner(place).says()
            journal = Journal(place / "journal.sqlite")
            journal.remember("note", "1")
            journal.look()
            assert journal.trouble == ""
            journal.close()
        with disk.mounted(writable=False) as place:
            yield place
    except NoDisk as error:
        pytest.skip(str(error))


def test_a_read_only_disk_is_named(state: Path) -> None:
    """Not as a full one: before anything was to be written, and afterwards."""
    journal = Journal(state / "journal.sqlite")
    journal.look()
    words = f"the disk of {state} is read-only"
    assert journal.trouble == words
    with pytest.raises(JournalBroken, match="cannot be used"):
        journal.remember("note", "2")
    journal.look()
    assert journal.trouble == words
    journal.close()


def test_a_pause_that_cannot_be_written_says_how_else_to_stop(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The owner is never left with an error alone."""
    said = Line(state, capsys).refused("pause")
    assert f"{state / 'owner' / 'pause'} cannot be written: Read-only file system" in said
    assert "end the agent, and its programs end with it" in said
