"""The commit log of one batch: its segments, their hash chain, and the fold that says who won each shard.

A segment is an object `log/<seq>` that is created and never changed: one JSON header line, then one line a
commit. The first commit of a shard in the log wins, whatever anybody believed when it was written. The log is
also the ledger: counts, status and pay are folds over it.
"""

import hashlib
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

import orjson

from parkade_core.batch.errors import LogBroken

VERSION: Final = 1
GENESIS: Final = "0" * 64


class Kind(StrEnum):
    """What a segment is: a new leader's claim, commits, or the end of the log."""

    CLAIM = "claim"
    DATA = "data"
    SEAL = "seal"


@dataclass(frozen=True, slots=True)
class ShardCommit:
    """One attempt's result of one shard: where its bytes lie (object, offset, bytes), its records by outcome.

    The first *output_size* of *size* bytes are output lines, the rest error lines; *sha256* (hex) is of all
    of them.
    """

    shard: int
    attempt: str
    key: str
    offset: int
    size: int
    output_size: int
    sha256: str
    vehicle: str
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One object of the log. *prev* is the hex sha256 of the segment before it; *nonce* names the writer."""

    uid: str
    seq: int
    term: int
    nonce: str
    kind: Kind
    prev: str
    commits: tuple[ShardCommit, ...] = ()


_TYPES: Final = {field.name: field.type for field in fields(ShardCommit)}


def encode_segment(segment: Segment) -> bytes:
    """The segment's bytes: the same segment gives the same bytes."""
    header = {
        "v": VERSION,
        "uid": segment.uid,
        "seq": segment.seq,
        "term": segment.term,
        "nonce": segment.nonce,
        "kind": segment.kind,
        "prev": segment.prev,
        "n": len(segment.commits),
    }
    rows = [header, *segment.commits]
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def decode_segment(data: bytes) -> Segment:
    """The segment in an object's bytes. Raises LogBroken."""
    head, *rows = data.split(b"\n")
    try:
        header = orjson.loads(head)
        version, count = header["v"], header["n"]
        if version != VERSION:
            raise LogBroken(f"a log segment has version {version}, this gateway reads version {VERSION}")
        if len(rows) != count + 1 or rows[-1]:
            raise LogBroken(f"a log segment of {count} commits has {len(rows) - 1} whole lines")
        commits = tuple(_commit(orjson.loads(row)) for row in rows[:-1])
        return Segment(
            uid=header["uid"],
            seq=header["seq"],
            term=header["term"],
            nonce=header["nonce"],
            kind=Kind(header["kind"]),
            prev=header["prev"],
            commits=commits,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LogBroken(f"a log segment cannot be read: {error}") from error


def _commit(row: dict[str, Any]) -> ShardCommit:
    commit = ShardCommit(**row)
    for name, kind in _TYPES.items():
        if type(row[name]) is not kind:
            raise TypeError(f"{name} of a commit is {row[name]!r}")
    return commit


class Ledger:
    """The fold over a log's segments, fed in order: who won each shard, and where the log ends."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.next_seq = 0
        self.term = 0
        self.nonce = ""
        self.tip = GENESIS
        self.sealed = False
        self.winners: dict[int, ShardCommit] = {}

    def feed(self, data: bytes) -> Segment:
        """Add the next segment. Raises LogBroken when it does not continue this log."""
        segment = decode_segment(data)
        problem = self._problem(segment)
        if problem is not None:
            raise LogBroken(f"segment {self.next_seq} of the log of batch {self.uid} {problem}")
        self.next_seq += 1
        self.term, self.nonce = segment.term, segment.nonce
        self.tip = hashlib.sha256(data).hexdigest()
        self.sealed = segment.kind is Kind.SEAL
        for commit in segment.commits:
            self.winners.setdefault(commit.shard, commit)
        return segment

    def verdict(self, shard: int, attempt: str) -> bool | None:
        """True: this attempt is the record. False: another is. None: nobody is, yet."""
        winner = self.winners.get(shard)
        return None if winner is None else winner.attempt == attempt

    def _problem(self, segment: Segment) -> str | None:
        if self.sealed:
            return "follows the seal, after which nothing may come"
        if segment.uid != self.uid:
            return f"belongs to batch {segment.uid}"
        if segment.seq != self.next_seq:
            return f"says it is segment {segment.seq}"
        if segment.prev != self.tip:
            return "does not carry the hash of the segment before it"
        return self._problem_of_writer(segment)

    def _problem_of_writer(self, segment: Segment) -> str | None:
        if segment.kind is Kind.CLAIM:
            if segment.term != self.term + 1:
                return f"claims term {segment.term} after term {self.term}"
            return "is a claim that carries commits" if segment.commits else None
        if (segment.term, segment.nonce) != (self.term, self.nonce):
            return "was written by somebody who does not lead"
        if segment.kind is Kind.SEAL and segment.commits:
            return "is a seal that carries commits"
        return None
