"""The plan object, the assembled errors and the manifest."""

import pickle
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from parkade_core.batch.assemble import FileDigest, encode_manifest, merge_errors, winners_in_order
from parkade_core.batch.commit import Kind, Ledger, Segment, ShardCommit, encode_segment
from parkade_core.batch.errors import LogBroken, PlanUnreadable
from parkade_core.batch.lines import error_line, line_of_error
from parkade_core.batch.plan import Plan, Rejects, ShardRow, decode_plan, encode_plan

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
NUMBER = st.integers(0, 2**40)
PLANS = st.builds(
    Plan,
    HEX.map("sha256:".__add__),
    HEX.map("sha256:".__add__),
    NUMBER,
    st.lists(st.builds(ShardRow, NUMBER, NUMBER, NUMBER, HEX), max_size=5).map(tuple),
    st.builds(Rejects, NUMBER, NUMBER, HEX),
)


def commit(shard: int, succeeded: int, failed: int) -> ShardCommit:
    """A commit with these counts."""
    return ShardCommit(shard, f"a{shard}", "k", 0, 9, 9, "f" * 64, "v1", succeeded, failed)


@given(PLANS)
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    """Decoding undoes encoding, and the bytes depend on the plan alone."""
    assert decode_plan(encode_plan(plan)) == plan
    assert encode_plan(decode_plan(encode_plan(plan))) == encode_plan(plan)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document | {"v": 2},
        lambda document: document | {"recordsTotal": 1},
        lambda document: {key: value for key, value in document.items() if key != "shards"},
        lambda document: document | {"shards": [[1, 2]]},
        lambda document: document | {"rejects": {}},
        lambda document: [document],
    ],
)
def test_what_is_no_plan_is_refused(change: object) -> None:
    """Other versions, missing parts and totals that do not add up are not guessed at."""
    plan = Plan("sha256:a", "sha256:b", 3, (ShardRow(1, 3, 10, "c"),), Rejects(0, 0, "d"))
    document = change(orjson.loads(encode_plan(plan)))  # type: ignore[operator]
    with pytest.raises(PlanUnreadable):
        decode_plan(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
    with pytest.raises(PlanUnreadable):
        decode_plan(b"\xff")


@given(st.sets(st.integers(1, 10**6), max_size=40), st.randoms(use_true_random=False))
def test_errors_are_merged_by_input_line(numbers: set[int], random: object) -> None:
    """Rejects and failures, each in order, come out as one sequence in order that loses none."""
    rejects = {number for number in numbers if random.random() < 0.5}  # type: ignore[attr-defined]
    made = {number: error_line("sha256:0", number, None, "NotJson", "no") for number in numbers}
    merged = merge_errors(
        (made[number] for number in sorted(rejects)), (made[number] for number in sorted(numbers - rejects))
    )
    assert [line_of_error(line) for line in merged] == sorted(numbers)


def test_the_manifest_is_a_fold_over_plan_and_log() -> None:
    """Counts, winners and the log's end are in it; it is refused while a shard is open or does not fit."""
    plan = Plan(
        "sha256:a", "sha256:b", 2, (ShardRow(1, 2, 10, "c"), ShardRow(3, 2, 10, "d")), Rejects(1, 5, "e")
    )
    ledger = Ledger("uid")
    ledger.feed(encode_segment(Segment("uid", 0, 1, "n", Kind.CLAIM, ledger.tip)))
    ledger.feed(encode_segment(Segment("uid", 1, 1, "n", Kind.DATA, ledger.tip, (commit(1, 1, 1),))))
    with pytest.raises(LogBroken, match="shard 0 is not committed"):
        winners_in_order(plan, ledger.winners)
    ledger.feed(encode_segment(Segment("uid", 2, 1, "n", Kind.DATA, ledger.tip, (commit(0, 2, 0),))))
    manifest = orjson.loads(encode_manifest(plan, ledger, FileDigest(7, "x"), FileDigest(0, "y")))
    assert manifest["records"] == {"total": 5, "succeeded": 3, "failed": 2}
    assert [row[1] for row in manifest["shards"]] == ["a0", "a1"]
    assert manifest["log"] == {"segments": 3, "tip": ledger.tip}
    with pytest.raises(LogBroken, match="2 records"):
        winners_in_order(plan, {0: commit(0, 2, 0), 1: commit(1, 9, 0)})


def test_the_records_of_a_plan_are_counted_once() -> None:
    """Asking for the total does not walk the shards again, also of a plan that came from a worker process."""

    class Walked(tuple[ShardRow, ...]):
        __slots__ = ()
        walks = 0

        @override
        def __iter__(self) -> Iterator[ShardRow]:
            Walked.walks += 1
            return super().__iter__()

    rows = Walked(ShardRow(n * 3 + 1, 3, 9, "ab") for n in range(4))
    plan = Plan("sha256:a", "sha256:b", 3, rows, Rejects(2, 5, "cd"))
    assert [plan.records_total for _ in range(3)] == [14, 14, 14]
    assert Walked.walks == 1
    plain = Plan("sha256:a", "sha256:b", 3, tuple(rows), Rejects(2, 5, "cd"))
    assert pickle.loads(pickle.dumps(plain)).records_total == 14  # noqa: S301 - our own bytes
