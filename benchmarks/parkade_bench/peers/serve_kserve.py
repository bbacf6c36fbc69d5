"""KServe's model server in front of the work: arguments are bundle, model's name, gRPC port and HTTP port."""

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

from parkade_bench.peers.work import open_work

logging.disable(logging.INFO)  # a line for each call would slow it down


class BenchedModel(Model):
    """Runs each call on one of two threads: its event loop stays free, and two calls run at a time."""

    def __init__(self, bundle: Path, name: str) -> None:
        super().__init__(name)
        self._work = open_work(bundle)
        self._lanes = ThreadPoolExecutor(2)
        self.ready = True

    async def predict(self, payload: InferRequest, *_: Any, **__: Any) -> InferResponse:
        """The model's answer to a call."""
        items = list(payload.inputs[0].as_numpy().reshape(-1))
        rows = await asyncio.get_running_loop().run_in_executor(self._lanes, self._work.answer, items)
        output = InferOutput("answer", list(rows.shape), "FP32")
        output.set_data_from_numpy(rows, binary_data=True)
        return InferResponse(payload.id or "", self.name, [output])


def main(bundle: str, name: str, grpc_port: str, http_port: str) -> None:
    """Serves until it is told to stop."""
    server = ModelServer(
        http_port=int(http_port), grpc_port=int(grpc_port), workers=1, enable_latency_logging=False
    )
    server.start([BenchedModel(Path(bundle), name)])


if __name__ == "__main__":
    main(*sys.argv[1:])
