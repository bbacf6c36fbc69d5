"""A run that needs more memory than is lent ends the sidecar: an attributed death, which says what it did."""

import asyncio
import contextlib
import hashlib
from pathlib import Path

import grpc
import numpy as np

from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_core.batch.lines import shard_line
from parkade_core.vehicle.death import Blame, Cause
from support.models import as_large_as_asked, write_bundle
from support.shards import record
from support.supervised import serving

MOST_SECONDS = 60


def test_a_run_without_memory_is_a_death_with_a_reason(tmp_path: Path) -> None:
    """The model is to blame, and the agent is told in the sidecar's own words."""
    bundle = write_bundle(tmp_path / "bundle", as_large_as_asked())
    with serving(bundle.folder) as (sidecar, channel):
        asked = record(1, size=np.array([1 << 46]))
        content = shard_line(1, asked.custom_id, asked.body)
        (sidecar.socket.parent / "in").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        request = vehicle_pb2.RunRequest(
            input_name="in", input_sha256=digest, result_name="out", input_digest="sha256:" + "0" * 64
        )
        with contextlib.suppress(grpc.RpcError):
            list(vehicle_pb2_grpc.ShardsStub(channel).Run(request, timeout=MOST_SECONDS))
        death = asyncio.run(sidecar.died())
    assert (death.cause, death.blame) == (Cause.OUT_OF_MEMORY, Blame.MODEL)
    assert death.sentence.startswith("the shard needs more memory than there is")
