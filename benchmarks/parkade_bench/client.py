"""`python -m parkade_bench.client TARGET MODEL BUNDLE SHARD`: the one client that drives every server.

A worker (see `worker.py`). `{"rows": 8, "under_way": 3}` sends all items by ModelInfer, that many rows a call, in
a closed loop; `{"shard": {...}}` has the sidecar run a shard by reference. Both answer how long it took.
"""

import asyncio
import json
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_bench.peers.work import read_items, read_manifest, tensor_of

_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class Client:
    """A connection to a server, and the items to send."""

    def __init__(self, channel: grpc.aio.Channel, model: str, tensor: str, items: Sequence[bytes]) -> None:
        self._inference = oip_grpc.GRPCInferenceServiceStub(channel)
        self._shards = vehicle_pb2_grpc.ShardsStub(channel)
        self._model, self._tensor, self._items = model, tensor, items

    async def infer(self, rows: int, under_way: int) -> NDArray[np.float32]:
        """The first float output for every item, with *under_way* calls of *rows* items at a time."""
        starts = iter(range(0, len(self._items), rows))
        found: dict[int, NDArray[np.float32]] = {}

        async def loop() -> None:
            for start in starts:
                found[start] = await self._call(self._items[start : start + rows])

        await asyncio.gather(*(loop() for _ in range(under_way)))
        return np.concatenate([found[start] for start in sorted(found)])

    async def _call(self, items: Sequence[bytes]) -> NDArray[np.float32]:
        request = oip.ModelInferRequest(model_name=self._model)
        request.inputs.add(name=self._tensor, datatype="BYTES", shape=[len(items)])
        request.raw_input_contents.append(b"".join(struct.pack("<I", len(item)) + item for item in items))
        response = await self._inference.ModelInfer(request)
        at = next(index for index, output in enumerate(response.outputs) if output.datatype == "FP32")
        if response.raw_output_contents:
            values = np.frombuffer(response.raw_output_contents[at], np.float32)
        else:
            values = np.array(response.outputs[at].contents.fp32_contents, np.float32)
        return values.reshape(len(items), -1)

    async def run_shard(self, shard: dict[str, str]) -> int:
        """Runs a shard by reference; how many records succeeded."""
        succeeded = 0
        async for progress in self._shards.Run(vehicle_pb2.RunRequest(**shard)):
            succeeded = progress.outcome.succeeded
        return succeeded


async def serve(target: str, model: str, bundle: str, shard: str) -> None:
    """Answers orders until the input ends."""
    tensor = tensor_of(read_manifest(Path(bundle)))
    items = read_items(Path(bundle), Path(shard))
    async with grpc.aio.insecure_channel(target, _OPTIONS) as channel:
        client = Client(channel, model, tensor, items)
        _say({"ready": True})
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(await _obey(client, json.loads(line), len(items)))


async def _obey(client: Client, order: dict[str, Any], items: int) -> dict[str, Any]:
    begun = time.perf_counter()
    try:
        if "shard" in order:
            items = await client.run_shard(order["shard"])
        else:
            rows = await client.infer(order["rows"], order["under_way"])
    except grpc.aio.AioRpcError as error:
        return {"error": f"{error.code().name}: {error.details()}"}
    seconds = time.perf_counter() - begun
    if "save" in order:
        np.save(order["save"], rows)
    return {"items": items, "seconds": seconds}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
