"""What the journal knows of attempts: those in hand, those finished, and what became of the others."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from sqlite3 import Row
from typing import Final

from parkade_agent.journal.database import Database
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2

KEPT_SECONDS: Final = 30 * 24 * 3600.0
KEPT_FATES: Final = 10_000
_PRUNE_EVERY: Final = 256


class Fate(StrEnum):
    """Where an attempt stands. The last four are for good: the vehicle has nothing more to do for it."""

    IN_HAND = "InHand"
    FINISHED = "Finished"
    COMMITTED = "Committed"
    LOST = "Lost"
    REFUSED = "Refused"
    RETURNED = "Returned"


_OPEN: Final = f"fate IN ('{Fate.IN_HAND}', '{Fate.FINISHED}')"
_TAKE: Final = """
INSERT INTO attempts (attempt, pod_uid, batch_uid, lease, granted, fate, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_LAST_PIECES: Final = f"""
SELECT lease, max(piece) FROM attempts WHERE lease IN (SELECT lease FROM attempts WHERE {_OPEN})
GROUP BY lease HAVING max(piece) IS NOT NULL
"""  # noqa: S608 - our own words
_PRUNE: Final = f"""
DELETE FROM attempts WHERE NOT {_OPEN} AND (changed_at < ? OR rowid IN (
  SELECT rowid FROM attempts WHERE NOT {_OPEN} ORDER BY changed_at DESC LIMIT -1 OFFSET {KEPT_FATES}))
"""  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class Attempt:
    """One leased shard, as it was granted to a slot."""

    pod_uid: str
    batch_uid: str
    lease: str
    shard: fleet_pb2.LeasedShard

    @property
    def key(self) -> tuple[str, int]:
        """Lease and shard, by which the gateway names it."""
        return self.lease, self.shard.shard

    @property
    def uid(self) -> str:
        """The attempt's own name."""
        return self.shard.attempt


@dataclass(frozen=True, slots=True)
class Kept:
    """An attempt as the journal has it; *outcome* is None until it is finished."""

    attempt: Attempt
    outcome: vehicle_pb2.ShardOutcome | None
    fate: Fate


@dataclass(frozen=True, slots=True)
class Left:
    """Attempts that are not settled, and the next piece's number of each of their leases that has sent one."""

    open: Sequence[Kept] = ()
    next_pieces: Mapping[str, int] = field(default_factory=dict)


class Attempts:
    """The table of attempts. Every method may raise JournalBroken."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settled = 0

    def take(self, attempts: Iterable[Attempt]) -> None:
        """These were granted and are in hand; one that is known already stays as it is."""
        now = time.time()
        rows = [
            (
                each.uid,
                each.pod_uid,
                each.batch_uid,
                each.lease,
                each.shard.SerializeToString(),
                Fate.IN_HAND,
                now,
            )
            for each in attempts
        ]
        with self._database.transaction() as connection:
            connection.executemany(_TAKE, rows)

    def finish(self, attempt: str, outcome: vehicle_pb2.ShardOutcome) -> None:
        """The attempt has its result, whose bytes are safe on the disk."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE attempts SET outcome = ?, fate = ?, changed_at = ? WHERE attempt = ?",
                (outcome.SerializeToString(), Fate.FINISHED, time.time(), attempt),
            )

    def number_piece(self, lease: str, attempts: Sequence[str], least: int) -> int:
        """The number, at least *least*, of the piece that these attempts of *lease* are sent in; used only once."""
        with self._database.transaction() as connection:
            (last,) = connection.execute(
                "SELECT max(piece) FROM attempts WHERE lease = ?", (lease,)
            ).fetchone()
            number = least if last is None else max(least, int(last) + 1)
            connection.executemany(
                "UPDATE attempts SET piece = ? WHERE attempt = ?", [(number, attempt) for attempt in attempts]
            )
        return number

    def left(self) -> Left:
        """What an earlier agent has left open."""
        with self._database.transaction() as connection:
            next_pieces = {str(lease): int(last) + 1 for lease, last in connection.execute(_LAST_PIECES)}
        return Left(self.open(), next_pieces)

    def settle(self, fates: Iterable[tuple[str, Fate]]) -> None:
        """What became of these attempts, for good."""
        now = time.time()
        rows = [(fate, now, attempt) for attempt, fate in fates]
        with self._database.transaction() as connection:
            connection.executemany("UPDATE attempts SET fate = ?, changed_at = ? WHERE attempt = ?", rows)
        self._settled += len(rows)
        if self._settled >= _PRUNE_EVERY:
            self._settled = 0
            self.prune()

    def open(self) -> list[Kept]:
        """Everything that is not settled, oldest first."""
        return self._select(f"{_OPEN} ORDER BY changed_at, attempt")

    def finished(self, most: int) -> list[Kept]:
        """Those that have a result, whatever became of it; the newest, at most that many."""
        return self._select("outcome IS NOT NULL ORDER BY changed_at DESC, attempt LIMIT ?", most)

    def forget_open(self) -> int:
        """Removes everything that is not settled, as if it had never been granted; returns how many."""
        with self._database.transaction() as connection:
            return connection.execute(f"DELETE FROM attempts WHERE {_OPEN}").rowcount  # noqa: S608

    def prune(self) -> None:
        """Keeps the newest fates only, and none that is older than a month."""
        with self._database.transaction() as connection:
            connection.execute(_PRUNE, (time.time() - KEPT_SECONDS,))

    def _select(self, condition: str, *values: int) -> list[Kept]:
        with self._database.transaction() as connection:
            rows = connection.execute(f"SELECT * FROM attempts WHERE {condition}", values)  # noqa: S608
            return [_kept(row) for row in rows]


def _kept(row: Row) -> Kept:
    shard = fleet_pb2.LeasedShard.FromString(row["granted"])
    outcome = None if row["outcome"] is None else vehicle_pb2.ShardOutcome.FromString(row["outcome"])
    return Kept(Attempt(row["pod_uid"], row["batch_uid"], row["lease"], shard), outcome, Fate(row["fate"]))
