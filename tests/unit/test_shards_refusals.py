"""A batch whose model the vehicles refuse ends, and says so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_api.wellknown import BatchReason
from parkade_core.batch.progress import BatchState
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


async def test_a_model_that_ran_somewhere_is_not_to_blame(bench: Bench) -> None:
    """Once a shard is committed no refusal ends the batch, however many there are."""
    await bench.start()
    grant = bench.lease("v1", 1)
    await bench.send(grant, await bench.fetch(grant))
    for number in range(9):
        bench.batches.refuse_model(UID, f"v{number}", f"slot-{number}", "no.")
    assert bench.status().state is BatchState.RUNNING
