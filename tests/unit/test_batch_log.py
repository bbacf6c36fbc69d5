"""The commit log: its format, and leaders that crash, lose replies and wake up late over one create-only store."""

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parkade_core.batch.commit import (
    GENESIS,
    Kind,
    Ledger,
    Segment,
    ShardCommit,
    decode_segment,
    encode_segment,
)
from parkade_core.batch.errors import LogBroken
from parkade_core.batch.log_writer import MOST_COMMITS, LogWriter, Put, Read, Stage

UID = "uid"


def commit(shard: int, attempt: str = "a") -> ShardCommit:
    """A commit of one attempt."""
    return ShardCommit(shard, attempt, "key", 0, 1, 1, "0" * 64, "v1", 1, 0)


def leader(nonce: str = "n", seqs: Iterable[bytes] = ()) -> LogWriter:
    """A writer that has read *seqs* and whose claim is durable."""
    writer = LogWriter(UID, nonce)
    for data in seqs:
        writer.found(data)
    writer.missing()
    assert isinstance(writer.step(), Put)
    writer.created()
    return writer


def test_a_segment_comes_back_as_it_was() -> None:
    """Decoding undoes encoding, for every kind."""
    for kind, commits in ((Kind.CLAIM, ()), (Kind.DATA, (commit(0), commit(7, "b"))), (Kind.SEAL, ())):
        segment = Segment(UID, 5, 2, "nonce", kind, "f" * 64, commits)
        assert decode_segment(encode_segment(segment)) == segment


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"n":1', b'"n":2'),
        (b'"kind":"data"', b'"kind":"x"'),
        (b'"size":1', b'"size":"1"'),
        (b'"shard":3', b'"shard":true'),
        (b'"attempt"', b'"attemptx"'),
        (b'"key":"key",', b""),
        (b"\n", b""),
        (b"{", b"["),
    ],
)
def test_what_is_no_segment_is_refused(old: bytes, new: bytes) -> None:
    """Versions, counts, types and whole lines are checked."""
    data = encode_segment(Segment(UID, 1, 1, "n", Kind.DATA, GENESIS, (commit(3),)))
    assert decode_segment(data)
    with pytest.raises(LogBroken):
        decode_segment(data.replace(old, new))
    with pytest.raises(LogBroken):
        decode_segment(data[:-1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uid": "other"}, "belongs to batch other"),
        ({"seq": 2}, "says it is segment 2"),
        ({"prev": "0" * 64}, "hash of the segment before"),
        ({"term": 2}, "does not lead"),
        ({"nonce": "stranger"}, "does not lead"),
        ({"kind": Kind.CLAIM, "commits": ()}, "claims term 1 after term 1"),
        ({"kind": Kind.CLAIM, "term": 3, "commits": ()}, "claims term 3 after term 1"),
        ({"kind": Kind.CLAIM, "term": 2}, "a claim that carries commits"),
        ({"kind": Kind.SEAL}, "a seal that carries commits"),
    ],
)
def test_a_segment_that_does_not_continue_the_log_is_refused(changes: dict[str, object], words: str) -> None:
    """Uid, place, hash, term and writer must follow from what was before."""
    ledger = Ledger(UID)
    ledger.feed(encode_segment(Segment(UID, 0, 1, "n", Kind.CLAIM, GENESIS)))
    fields = {"uid": UID, "seq": 1, "term": 1, "nonce": "n", "kind": Kind.DATA, "prev": ledger.tip}
    segment = Segment(**(fields | {"commits": (commit(0),)} | changes))  # type: ignore[arg-type]
    with pytest.raises(LogBroken, match=words):
        ledger.feed(encode_segment(segment))
    assert (ledger.next_seq, ledger.winners) == (1, {})


def test_nothing_follows_the_seal() -> None:
    """A sealed log takes neither commits nor claims."""
    ledger = Ledger(UID)
    ledger.feed(encode_segment(Segment(UID, 0, 1, "n", Kind.CLAIM, GENESIS)))
    ledger.feed(encode_segment(Segment(UID, 1, 1, "n", Kind.SEAL, ledger.tip)))
    with pytest.raises(LogBroken, match="after which nothing may come"):
        ledger.feed(encode_segment(Segment(UID, 2, 2, "m", Kind.CLAIM, ledger.tip)))


def test_one_put_flies_and_the_rest_gathers() -> None:
    """Until a put is reported, step asks for the same bytes; then what was gathered goes out, bounded."""
    writer = leader()
    writer.offer([commit(0)])
    first = writer.step()
    writer.offer(commit(number) for number in range(MOST_COMMITS + 5))
    assert writer.step() is first
    writer.created()
    second, sizes = writer.step(), []
    while isinstance(second, Put):
        sizes.append(len(second.commits))
        writer.created()
        second = writer.step()
    assert sizes == [MOST_COMMITS, 4]
    assert len(writer.ledger.winners) == MOST_COMMITS + 5


def test_a_gap_is_damage_and_not_the_end() -> None:
    """When a listing showed later segments, a missing one is never claimed over."""
    writer = LogWriter(UID, "n", listed=3)
    with pytest.raises(LogBroken, match="segment 0 .* is missing, but later ones exist"):  # noqa: RUF043
        writer.missing()


def test_the_first_commit_of_a_shard_wins() -> None:
    """Even if the log held two records of a shard, the earlier one would be the record."""
    ledger = Ledger(UID)
    ledger.feed(encode_segment(Segment(UID, 0, 1, "n", Kind.CLAIM, GENESIS)))
    for seq, attempt in ((1, "first"), (2, "second")):
        ledger.feed(encode_segment(Segment(UID, seq, 1, "n", Kind.DATA, ledger.tip, (commit(0, attempt),))))
    assert [ledger.verdict(0, attempt) for attempt in ("first", "second")] == [True, False]
    assert ledger.verdict(1, "first") is None


def test_a_fenced_writer_does_nothing_more() -> None:
    """Finding somebody else's bytes under its key, a leader stops; it does not claim the log back."""
    writer = leader()
    writer.offer([commit(0)])
    writer.step()
    writer.exists(encode_segment(Segment(UID, 1, 2, "other", Kind.CLAIM, writer.ledger.tip)))
    assert (writer.stage, writer.step()) == (Stage.FENCED, None)
    assert writer.ledger.winners == {}


class Leaders(RuleBasedStateMachine):
    """Several would-be leaders over one store that only creates; replies get lost, dead callers' puts land late."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[int, bytes] = {}
        self.truth = Ledger(UID)
        self.writers: list[LogWriter] = []
        self.late: list[Put] = []
        self.offered: list[tuple[LogWriter, ShardCommit]] = []
        self.told: dict[tuple[int, str], bool] = {}
        self.count = 0

    def create(self, put: Put) -> bool:
        """The store: the first create of a key wins. Every object must continue the log."""
        if put.seq in self.objects:
            return False
        self.objects[put.seq] = put.data
        self.truth.feed(put.data)
        return True

    @rule()
    def start(self) -> None:
        """A gateway starts and wants to lead; it may have listed the log at any earlier time."""
        if len(self.writers) < 4:
            self.count += 1
            self.writers.append(LogWriter(UID, f"n{self.count}", len(self.objects)))

    @precondition(lambda self: self.writers)
    @rule(who=st.integers(0, 3), luck=st.sampled_from(["fine", "fine", "fine", "lost", "never", "late"]))
    def go_on(self, who: int, luck: str) -> None:
        """One step of one writer, its put with any outcome that a network can give."""
        writer = self.writers[who % len(self.writers)]
        step = writer.step()
        if isinstance(step, Read):
            found = self.objects.get(step.seq)
            writer.missing() if found is None else writer.found(found)
        elif isinstance(step, Put) and luck == "late":
            self.late.append(step)
        elif isinstance(step, Put) and luck != "never":
            won = self.create(step)
            if luck == "fine":
                writer.created() if won else writer.exists(self.objects[step.seq])
        self.hear()

    @precondition(lambda self: self.late)
    @rule(which=st.integers(0, 9))
    def land_late(self, which: int) -> None:
        """A put that somebody gave up on, perhaps dead by now, reaches the store after all."""
        self.create(self.late.pop(which % len(self.late)))

    @precondition(lambda self: self.writers)
    @rule(who=st.integers(0, 3), shards=st.sets(st.integers(0, 30), min_size=1, max_size=4))
    def offer(self, who: int, shards: set[int]) -> None:
        """A vehicle sends attempts to whom it believes to lead."""
        writer = self.writers[who % len(self.writers)]
        self.count += 1
        commits = [commit(shard, f"a{self.count}") for shard in shards]
        if writer.stage is Stage.LEADING:
            writer.offer(commits)
            self.offered += [(writer, c) for c in commits]

    @precondition(lambda self: self.offered and self.writers)
    @rule(which=st.integers(0, 99), who=st.integers(0, 3))
    def repeat(self, which: int, who: int) -> None:
        """A vehicle that heard nothing sends the same attempt again, to any leader."""
        _, again = self.offered[which % len(self.offered)]
        writer = self.writers[who % len(self.writers)]
        if writer.stage is Stage.LEADING:
            writer.offer([again])
            self.offered.append((writer, again))

    @precondition(lambda self: self.writers)
    @rule(who=st.integers(0, 3))
    def crash(self, who: int) -> None:
        """A gateway dies; what it had in flight may still land."""
        writer = self.writers.pop(who % len(self.writers))
        step = writer.step()
        if isinstance(step, Put):
            self.late.append(step)
        self.offered = [(w, c) for w, c in self.offered if w is not writer]

    @precondition(lambda self: self.writers)
    @rule(who=st.integers(0, 3), really=st.integers(0, 19))
    def seal(self, who: int, really: int) -> None:
        """Now and then a leader ends the log."""
        writer = self.writers[who % len(self.writers)]
        if writer.stage is Stage.LEADING and not really:
            writer.seal()

    def hear(self) -> None:
        """Vehicles hear verdicts as soon as their leader has one; a verdict never changes."""
        for writer, offered in self.offered:
            verdict = writer.ledger.verdict(offered.shard, offered.attempt)
            if verdict is not None:
                key = (offered.shard, offered.attempt)
                assert self.told.setdefault(key, verdict) is verdict

    @invariant()
    def tells_the_truth(self) -> None:
        """Whatever anybody was told is what a fold over the store says: no lost commit, no two winners."""
        for (shard, attempt), verdict in self.told.items():
            assert self.truth.verdict(shard, attempt) is verdict

    @invariant()
    def is_whole(self) -> None:
        """The log has no gap, and no shard has two records."""
        assert sorted(self.objects) == list(range(len(self.objects)))
        committed = [c.shard for data in self.objects.values() for c in decode_segment(data).commits]
        assert len(committed) == len(set(committed))

    def teardown(self) -> None:
        """A fold from nothing gives the same winners."""
        again = Ledger(UID)
        for seq in sorted(self.objects):
            again.feed(self.objects[seq])
        assert again.winners == self.truth.winners


TestLeaders = Leaders.TestCase
TestLeaders.settings = settings(max_examples=200, stateful_step_count=100)
