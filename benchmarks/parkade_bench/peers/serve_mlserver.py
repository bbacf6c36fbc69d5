"""MLServer with two workers in front of the work: arguments are bundle, model's name, gRPC port and HTTP port."""

import asyncio
import logging
import sys
from pathlib import Path

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse

from parkade_bench.peers.work import open_work

logging.disable(logging.INFO)  # a line for each call would slow it down


class BenchedModel(MLModel):
    """The work in each of MLServer's workers."""

    async def load(self) -> bool:
        """Opens the bundle."""
        self._work = open_work(Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The model's answer to a call."""
        items = [item if isinstance(item, bytes) else item.encode() for item in payload.inputs[0].data]
        rows = self._work.answer(items).astype(np.float32)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("answer", rows)])


async def main(bundle: str, name: str, grpc_port: str, http_port: str) -> None:
    """Serves until it is told to stop."""
    settings = Settings(
        host="127.0.0.1",
        grpc_port=int(grpc_port),
        http_port=int(http_port),
        metrics_endpoint=None,
        parallel_workers=2,
        grpc_max_message_length=64 << 20,
    )
    model = ModelSettings(
        name=name,
        implementation="parkade_bench.peers.serve_mlserver.BenchedModel",
        parameters=ModelParameters(uri=bundle),
    )
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
