"""What an agent notes of how long its vehicle is parked, and what the next one makes of it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.journal import Journal
from parkade_agent.signals.heard import boottime
from parkade_agent.standing import NOTE, ParkedNote
from parkade_core.vehicle.guard import GuardState, decide, initial
from support.facts import facts


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The journal of a vehicle."""
    made = Journal(tmp_path / "journal.sqlite")
    yield made
    made.close()


def parked() -> GuardState:
    """What the guard of a vehicle says that was parked just now."""
    now = time.monotonic()
    return decide(facts(), initial(now), now)


async def test_the_next_agent_knows_what_the_last_one_saw(journal: Journal) -> None:
    """Since when the vehicle is parked, on its own monotonic clock; the first agent of a vehicle knows nothing."""
    first, state = ParkedNote(journal), parked()
    await first.note(state, is_at_work=True)
    assert first.since() is None
    assert ParkedNote(journal).since() == pytest.approx(state.since, abs=0.1)


async def test_a_note_is_made_now_and_then_and_only_beside_a_slot(journal: Journal) -> None:
    """A disk is not worn out by it, and what is not so is not noted."""
    note = ParkedNote(journal)
    await note.note(initial(time.monotonic()), is_at_work=True)
    await note.note(decide(facts(SPEED=3), initial(0), 1), is_at_work=True)
    await note.note(parked(), is_at_work=False)
    assert journal.recall(NOTE) is None
    state = parked()
    await note.note(state, is_at_work=True)
    line = journal.recall(NOTE)
    await note.note(state, is_at_work=True)
    assert journal.recall(NOTE) == line is not None


@pytest.mark.parametrize("who", ["the same agent", "the next agent"])
async def test_a_driver_takes_the_note_back(journal: Journal, who: str) -> None:
    """At once and without a slot, also for what an earlier agent noted: the next one must not go on from there."""
    note, now = ParkedNote(journal), time.monotonic()
    state = decide(facts(), initial(now - 100), now - 100)
    await note.note(state, is_at_work=True)
    note = ParkedNote(journal) if who == "the next agent" else note
    await note.note(initial(now), is_at_work=False)  # it has not looked yet
    assert ParkedNote(journal).since() == pytest.approx(now - 100, abs=0.1)
    await note.note(decide(facts(SPEED=3), state, now), is_at_work=False)
    assert (journal.recall(NOTE), ParkedNote(journal).since()) == ("", None)


@pytest.mark.parametrize("line", ["nonsense", "another-boot 1.000 {now}"])
def test_a_note_that_does_not_count_is_no_crash(journal: Journal, line: str) -> None:
    """It is forgotten: the guard waits as if there were none."""
    journal.remember(NOTE, line.format(now=boottime()))
    assert ParkedNote(journal).since() is None


async def test_a_broken_journal_costs_the_note_alone(journal: Journal) -> None:
    """Its trouble is a reason of the guard by itself."""
    journal.close()
    journal.path.write_bytes(b"no database at all, " * 300)
    note = ParkedNote(journal)
    await note.note(parked(), is_at_work=True)
    assert note.since() is None
    with pytest.raises(JournalBroken):
        journal.recall(NOTE)
