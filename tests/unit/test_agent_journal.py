"""The journal keeps what it says it has kept, and says in a sentence when it cannot."""

import sqlite3
from pathlib import Path

import pytest

from parkade_agent.errors import JournalBroken
from parkade_agent.journal import attempts as table
from parkade_agent.journal import journal as whole
from parkade_agent.journal.attempts import Attempt, Fate
from parkade_agent.journal.journal import Journal
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from support.fates import fate_of

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty one."""
    return Journal(tmp_path / "journal.sqlite")


def attempt(number: int, lease: str = "lease") -> Attempt:
    """An attempt at the shard of that number."""
    return Attempt("pod", "batch", lease, fleet_pb2.LeasedShard(shard=number, attempt=f"attempt-{number}"))


def reopened(journal: Journal) -> Journal:
    """The same file as an agent finds it that starts while the one before was killed."""
    return Journal(journal.path)


def test_every_transaction_is_synced(journal: Journal) -> None:
    """FULL is 2 (sqlite.org/pragma.html): in WAL mode any less would let a power cut take back what was said."""
    with journal._database.transaction() as connection:
        assert tuple(connection.execute("PRAGMA synchronous").fetchone()) == (2,)
        assert tuple(connection.execute("PRAGMA journal_mode").fetchone()) == ("wal",)


def test_notes_outlive_the_agent(journal: Journal) -> None:
    """The newest text stands, and none is None."""
    assert journal.recall("consent") is None
    for text in ("1", "2"):
        journal.remember("consent", text)
    assert reopened(journal).recall("consent") == "2"


def test_a_counter_never_goes_back(journal: Journal) -> None:
    """Not after a restart, not when old assignments are forgotten, and not because somebody notes a lower one."""
    for counter in (1, 7, 7 + whole._KEPT_ASSIGNMENTS):
        journal.obey(counter, "pod", "batch", DIGEST)
    assert reopened(journal).last_counter() == 7 + whole._KEPT_ASSIGNMENTS
    with pytest.raises(JournalBroken, match="UNIQUE"):
        journal.obey(7 + whole._KEPT_ASSIGNMENTS, "pod", "batch", DIGEST)
    assert journal.last_counter() == 7 + whole._KEPT_ASSIGNMENTS


def test_an_attempt_goes_from_hand_to_its_fate(journal: Journal) -> None:
    """In hand, finished with its outcome, then settled for good: that is what the next agent finds."""
    journal.attempts.take([attempt(1), attempt(2)])
    assert [kept.outcome for kept in reopened(journal).attempts.open()] == [None, None]
    outcome = vehicle_pb2.ShardOutcome(size=3, sha256="abc")
    journal.attempts.finish("attempt-1", outcome)
    assert {kept.attempt.uid: kept.outcome for kept in reopened(journal).attempts.open()} == {
        "attempt-1": outcome,
        "attempt-2": None,
    }
    journal.attempts.settle([("attempt-1", Fate.LOST), ("attempt-2", Fate.RETURNED)])
    assert reopened(journal).attempts.open() == []
    assert fate_of(journal, "attempt-1") is Fate.LOST
    assert fate_of(journal, "attempt-3") is None


def test_no_two_pieces_of_a_lease_have_one_number(journal: Journal) -> None:
    """Also across a restart; other leases count by themselves."""
    journal.attempts.take([attempt(1), attempt(2), attempt(3, "other")])
    assert journal.attempts.number_piece("lease", ["attempt-1"], 0) == 0
    assert reopened(journal).attempts.number_piece("lease", ["attempt-1", "attempt-2"], 0) == 1
    assert journal.attempts.number_piece("lease", ["attempt-2"], 5) == 5
    assert journal.attempts.number_piece("other", ["attempt-3"], 0) == 0


def test_a_wipe_leaves_fates_and_counters(journal: Journal) -> None:
    """What is open is forgotten as if it had never been; what was obeyed and settled is not."""
    journal.obey(3, "pod", "batch", DIGEST)
    journal.attempts.take([attempt(1), attempt(2)])
    journal.attempts.settle([("attempt-1", Fate.COMMITTED)])
    assert journal.attempts.forget_open() == 1
    assert fate_of(journal, "attempt-2") is None
    assert (fate_of(journal, "attempt-1"), journal.last_counter()) == (Fate.COMMITTED, 3)


def test_only_the_newest_fates_are_kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is older than a month, and what is open stays however old it is."""
    journal.attempts.take([attempt(number) for number in range(4)])
    journal.attempts.settle([("attempt-0", Fate.COMMITTED)])
    monkeypatch.setattr(table.time, "time", lambda: 10 * table.KEPT_SECONDS + 2e9)
    journal.attempts.settle([("attempt-1", Fate.COMMITTED)])
    journal.attempts.prune()
    assert fate_of(journal, "attempt-0") is None
    assert fate_of(journal, "attempt-1") is Fate.COMMITTED
    assert len(journal.attempts.open()) == 2


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(b"no database at all, " * 300), "not a database"),
        (
            lambda path: _execute(path, "PRAGMA user_version=9"),
            "it has version 9, this agent reads version 1",
        ),
        (lambda path: _execute(path, "DROP TABLE notes"), "no such table"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "malformed"),
    ],
)
def test_a_damaged_journal_is_a_sentence(journal: Journal, damage: object, words: str) -> None:
    """It is never begun anew, because then a counter would begin anew, too: somebody has to look at it."""
    journal.remember("consent", "1")
    journal.close()
    assert callable(damage)
    damage(journal.path)
    with pytest.raises(JournalBroken, match=words):
        journal.remember("consent", "2")
    journal.look()
    assert words in journal.trouble


def test_a_full_disk_loses_nothing_and_heals(journal: Journal) -> None:
    """What does not fit is refused whole; once there is room again, the trouble is over by itself."""
    journal.remember("small", "1")
    with journal._database.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 12")
    with pytest.raises(JournalBroken, match="full"):
        journal.remember("large", "x" * 1_000_000)
    assert "full" in journal.trouble
    assert reopened(journal).recall("large") is None
    journal.look()  # opens the file anew, and the limit was the connection's
    assert (journal.trouble, journal.recall("small")) == ("", "1")


def test_too_little_room_is_trouble_before_it_is_full(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence has the number that fails and the one that is needed."""
    journal.look()
    assert journal.trouble == ""
    monkeypatch.setattr(whole, "LEAST_FREE_BYTES", 1 << 60)
    journal.look()
    assert "MiB are free on the disk of" in journal.trouble
    assert f"{1 << 40} are needed" in journal.trouble


def test_a_read_only_disk_is_a_sentence(tmp_path: Path) -> None:
    """A folder in which nothing can be made says so; no table is half there afterwards."""
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "journal.sqlite")
    with pytest.raises(JournalBroken, match="cannot be used"):
        journal.obey(1, "pod", "batch", DIGEST)
    assert journal.trouble


def _execute(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
