"""A batch whose model the vehicles refuse ends, and says so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_api.wellknown import BatchReason, ShardFault
from parkade_core.batch.progress import BatchState
from parkade_operator.shards.service import MOST_WORDS
from support.bench import UID, Bench, running
from support.stores import Ground


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Batches over ten records in four shards."""
    async with running(Ground(tmp_path)) as bench:
        yield bench


async def test_a_model_that_vehicles_refuse_fails_the_batch(bench: Bench) -> None:
    """The third vehicle's refusal ends it, with the sentence; before the plan is made nothing is counted."""
    bench.batches.refuse_model(UID, "v0", "slot-0", "no.")
    await bench.start()
    for vehicle in ("v1", "v2", "v3"):
        assert bench.status().state is BatchState.RUNNING
        bench.batches.refuse_model(UID, vehicle, f"slot of {vehicle}", "OutOfMemory: no.")
    status = await bench.state(BatchState.FAILED)
    assert status.reason == BatchReason.MODEL_REFUSED
    assert status.message == "the model was refused by 3 vehicles, last with OutOfMemory: no."


async def test_a_vehicles_words_cannot_steer_a_terminal(bench: Bench) -> None:
    """Whatever it says is printable and short where users read it: refusals, and why a shard failed."""
    rude = "no.\n\x1b[2J" + "x" * 5000
    await bench.start()
    bench.batches.show_refusal(UID, rude)
    assert bench.status().refusal.startswith(r"no.\u000a\u001b[2Jxxx")
    assert len(bench.status().refusal) == MOST_WORDS
    for vehicle in ("v1", "v2", "v3"):
        grant = bench.lease(vehicle, 1)
        shards = [shard.shard for shard in grant.shards]
        bench.batches.hand_back(UID, vehicle, grant.lease, shards, ShardFault.SIDECAR_LOST, rude)
    status = await bench.state(BatchState.FAILED)
    assert r"last with SidecarLost: no.\u000a\u001b[2Jxxx" in status.message
    assert status.message.isprintable()


async def test_a_model_that_ran_somewhere_is_not_to_blame(bench: Bench) -> None:
    """Once a shard is committed no refusal ends the batch, however many there are."""
    await bench.start()
    grant = bench.lease("v1", 1)
    await bench.send(grant, await bench.fetch(grant))
    for number in range(9):
        bench.batches.refuse_model(UID, f"v{number}", f"slot-{number}", "no.")
    assert bench.status().state is BatchState.RUNNING


async def test_a_model_that_runs_is_not_to_blame(bench: Bench) -> None:
    """As long as a vehicle has shards of the batch its model runs; what others said meanwhile does not count."""
    await bench.start()
    grant = bench.lease("worker", 1)
    for number in range(9):
        bench.batches.refuse_model(UID, f"v{number}", f"slot-{number}", "no.")
    assert bench.status().state is BatchState.RUNNING
    bench.batches.hand_back(UID, "worker", grant.lease, [shard.shard for shard in grant.shards])
    for number in range(9):
        bench.batches.refuse_model(UID, "v1", f"slot-{number}", "no.")
    assert bench.status().state is BatchState.RUNNING
    for vehicle in ("v2", "v3"):
        bench.batches.refuse_model(UID, vehicle, f"slot of {vehicle}", "no.")
    await bench.state(BatchState.FAILED)
