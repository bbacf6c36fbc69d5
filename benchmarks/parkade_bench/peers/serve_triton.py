"""Triton, through pytriton, in front of the work: arguments are bundle, model's name, gRPC port and HTTP port."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from parkade_bench.peers.work import Work, open_work, read_manifest, tensor_of


def main(bundle: str, name: str, grpc_port: str, http_port: str) -> None:
    """Serves until it is told to stop."""
    tensor = tensor_of(read_manifest(Path(bundle)))
    config = TritonConfig(
        grpc_address="127.0.0.1",
        grpc_port=int(grpc_port),
        http_address="127.0.0.1",
        http_port=int(http_port),
        allow_metrics=False,
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        triton.bind(
            name,
            infer_func=[_function(open_work(Path(bundle)), tensor) for _ in range(2)],
            inputs=[Tensor(name=tensor, dtype=bytes, shape=(-1,))],
            outputs=[Tensor(name="answer", dtype=np.float32, shape=(-1, -1))],
            config=ModelConfig(batching=False),
        )
        triton.serve()


def _function(work: Work, tensor: str) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    def infer(requests: Sequence[Any]) -> list[dict[str, Any]]:
        return [{"answer": work.answer(list(request.data[tensor].reshape(-1)))} for request in requests]

    return infer


if __name__ == "__main__":
    main(*sys.argv[1:])
