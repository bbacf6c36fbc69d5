"""Which pools a batch may run on, and what the gateway's messages mean."""

import pytest

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.v1alpha1 import VehiclePool
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.vehicle.census import PoolCount
from parkade_core.vehicle.pool_status import PoolReport
from parkade_core.vehicle.reclaims import ReclaimFigures
from parkade_operator.controllers.pools import PoolIndex
from parkade_operator.messages import progress_of, report_message, report_of
from support.objects import batch, pool

SNAPSHOT = pb.Snapshot(
    batches=[
        pb.BatchProgress(uid="other", state=pb.PLANNING),
        pb.BatchProgress(
            uid="mine",
            state=pb.FAILED,
            reason="ShardFailed",
            message="shard 3 failed 3 times",
            records_total=1,
            records_succeeded=2,
            records_failed=3,
            shards_total=4,
            shards_committed=5,
            shards_leased=6,
            records_per_second=7.5,
            slots_running=8,
            slots_silent=9,
            slots_idle=10,
            output_uri="file:///o",
            error_uri="file:///e",
            manifest_digest="sha256:m",
        ),
    ],
    pools=[
        pb.PoolCounts(
            name="a",
            total=6,
            online=5,
            eligible=4,
            busy=3,
            offline=1,
            free=2,
            ineligible_reasons={"Driving": 2},
        ),
        pb.PoolCounts(name="b", total=5, offline=4, free=1, ineligible_reasons={"Driving": 1, "Silent": 4}),
    ],
)


@pytest.fixture
def index() -> PoolIndex:
    """Pools a, b and c; b and c are gold."""
    found = PoolIndex()
    for name, labels in (("c", {"tier": "gold"}), ("a", {}), ("b", {"tier": "gold"})):
        found.set(name, pool(name, labels=labels))
    return found


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"poolRefs": ["c", "a"]}, ["a", "c"]),
        ({"poolRefs": ["a", "missing"]}, ["a"]),
        ({"poolRefs": ["missing"]}, []),
        ({"poolSelector": {"matchLabels": {"tier": "gold"}}}, ["b", "c"]),
        ({"poolSelector": {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}}, ["a"]),
        ({"poolSelector": {"matchLabels": {"tier": "lead"}}}, []),
        ({"poolSelector": {}}, ["a", "b", "c"]),
    ],
)
def test_the_pools_of_a_batch(index: PoolIndex, spec: dict[str, object], names: list[str]) -> None:
    """References that exist, or all pools whose own labels fit, always in one order."""
    assert index.of(batch(**spec)) == names  # type: ignore[arg-type]


def test_pools_come_and_go(index: PoolIndex) -> None:
    """A pool that was deleted is no batch's pool any more."""
    index.set("b", None)
    assert index.names() == ["a", "c"]
    assert index.get("b") is None
    assert index.of(batch(poolRefs=["b"])) == []


def test_slots_may_be_silent_as_long_as_the_most_patient_pool_allows(index: PoolIndex) -> None:
    """The longest autonomy counts; without a pool it is an hour."""
    spec = {"selector": {}, "autonomy": {"duration": "2h"}}
    index.set("a", VehiclePool.model_validate({"metadata": {"name": "a"}, "spec": spec}))
    assert index.autonomy_seconds(["a", "b"]) == 7200
    assert index.autonomy_seconds(["b"]) == index.autonomy_seconds([]) == 3600


def test_counts_are_summed_over_a_batchs_pools(index: PoolIndex) -> None:
    """A pool that the gateway has not reported adds nothing."""
    assert index.count(["a", "b", "c"], SNAPSHOT) == PoolCount(
        total=11,
        online=5,
        eligible=4,
        busy=3,
        offline=5,
        free=3,
        ineligible_reasons={"Driving": 3, "Silent": 4},
    )
    assert index.count(["c"], SNAPSHOT) == index.count(["a"], None) == PoolCount()


def test_progress_is_what_the_gateway_said() -> None:
    """Every field of the message arrives in the field of its name."""
    assert progress_of(SNAPSHOT, "mine") == Progress(
        BatchState.FAILED,
        uid="mine",
        reason="ShardFailed",
        message="shard 3 failed 3 times",
        records_total=1,
        records_succeeded=2,
        records_failed=3,
        shards_total=4,
        shards_committed=5,
        shards_leased=6,
        records_per_second=7.5,
        slots_running=8,
        slots_silent=9,
        slots_idle=10,
        output_uri="file:///o",
        error_uri="file:///e",
        manifest_digest="sha256:m",
    )
    assert progress_of(SNAPSHOT, "unknown") is None
    assert progress_of(None, "mine") is None


@pytest.mark.parametrize("state", [value for name, value in pb.BatchState.items() if value])
def test_every_state_of_the_gateway_is_understood(state: pb.BatchState.ValueType) -> None:
    """A state that is added to the message must be added here, too."""
    snapshot = pb.Snapshot(batches=[pb.BatchProgress(uid="x", state=state)])
    progress = progress_of(snapshot, "x")
    assert progress is not None
    assert progress.state.upper() == pb.BatchState.Name(state)


def test_a_report_is_what_the_gateway_said() -> None:
    """The counts and reclaims of one pool as they were sent, or none while it was not reported."""
    count = PoolCount(
        total=6,
        online=5,
        eligible=4,
        busy=3,
        offline=1,
        free=2,
        consented=5,
        quarantined=1,
        ineligible_reasons={"Driving": 2},
    )
    for report in (PoolReport(count), PoolReport(count, ReclaimFigures(4, 0.01, 0.25, 1))):
        assert report_of(pb.Snapshot(pools=[report_message("a", report)]), "a") == report
    assert report_of(SNAPSHOT, "c") is None
    assert report_of(None, "a") is None
