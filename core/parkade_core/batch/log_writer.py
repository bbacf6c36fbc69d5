"""The writer of a commit log, a state machine without I/O: read to the end, claim, lead, seal, be fenced.

The shell does what `step` says and reports what came of it. A put whose outcome is unknown is simply not
reported: the next `step` asks for the same key and the same bytes again. Only one put is in flight; commits
offered meanwhile are gathered into the next segment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from parkade_core.batch.commit import Kind, Ledger, Segment, ShardCommit, encode_segment
from parkade_core.batch.errors import LogBroken

MOST_COMMITS: Final = 1000


class Stage(StrEnum):
    """Where a writer stands."""

    READING = "Reading"
    CLAIMING = "Claiming"
    LEADING = "Leading"
    SEALED = "Sealed"
    FENCED = "Fenced"


@dataclass(frozen=True, slots=True)
class Read:
    """Fetch segment *seq* and report `found` or `missing`."""

    seq: int


@dataclass(frozen=True, slots=True)
class Put:
    """Create segment *seq* and report `created` or `exists`, or nothing when the outcome is unknown."""

    seq: int
    data: bytes
    commits: tuple[ShardCommit, ...] = ()


class LogWriter:
    """One would-be leader of one batch's log. *nonce* is used by no other writer, ever.

    *listed* is how many segments a listing showed: one of them missing is damage, not the end of the log.
    """

    def __init__(self, uid: str, nonce: str, listed: int = 0) -> None:
        self.ledger = Ledger(uid)
        self.stage = Stage.READING
        self._nonce = nonce
        self._listed = listed
        self._flying: Put | None = None
        self._gathered: dict[int, ShardCommit] = {}
        self._seal_wanted = False

    def step(self) -> Read | Put | None:
        """What to do next; None while there is nothing to do."""
        if self.stage is Stage.READING:
            return Read(self.ledger.next_seq)
        if self.stage is Stage.LEADING and self._flying is None:
            self._flying = self._cut()
        return self._flying

    def found(self, data: bytes) -> None:
        """The segment to read exists. Raises LogBroken when it does not continue the log."""
        self.ledger.feed(data)
        if self.ledger.sealed:
            self.stage = Stage.SEALED

    def missing(self) -> None:
        """The segment to read does not exist: the log ends here, so claim it. Raises LogBroken at a gap."""
        if self.ledger.next_seq < self._listed:
            seq, uid = self.ledger.next_seq, self.ledger.uid
            raise LogBroken(f"segment {seq} of the log of batch {uid} is missing, but later ones exist")
        self.stage = Stage.CLAIMING
        self._flying = self._segment(Kind.CLAIM, self.ledger.term + 1)

    def created(self) -> None:
        """The put is durable."""
        if self._flying is None:
            raise LogBroken("a put was reported that nobody asked for")
        segment = self.ledger.feed(self._flying.data)
        self._flying = None
        self.stage = Stage.SEALED if segment.kind is Kind.SEAL else Stage.LEADING

    def exists(self, stored: bytes) -> None:
        """The key of the put was taken, by *stored*: ours with a lost reply, or somebody else's."""
        if self._flying is not None and stored == self._flying.data:
            self.created()
            return
        self._flying = None
        if self.stage is Stage.CLAIMING:
            self.stage = Stage.READING
            self.found(stored)
        else:
            self.stage = Stage.FENCED

    def offer(self, commits: Iterable[ShardCommit]) -> None:
        """Gather commits for the next segment. The first one offered for a shard is written."""
        for commit in commits:
            self._gathered.setdefault(commit.shard, commit)

    def seal(self) -> None:
        """End the log once everything offered so far is written."""
        self._seal_wanted = True

    def _cut(self) -> Put | None:
        commits: list[ShardCommit] = []
        while self._gathered and len(commits) < MOST_COMMITS:
            commit = self._gathered.pop(next(iter(self._gathered)))
            if commit.shard not in self.ledger.winners:
                commits.append(commit)
        if commits:
            return self._segment(Kind.DATA, self.ledger.term, tuple(commits))
        return self._segment(Kind.SEAL, self.ledger.term) if self._seal_wanted else None

    def _segment(self, kind: Kind, term: int, commits: tuple[ShardCommit, ...] = ()) -> Put:
        log = self.ledger
        segment = Segment(log.uid, log.next_seq, term, self._nonce, kind, log.tip, commits)
        return Put(log.next_seq, encode_segment(segment), commits)
