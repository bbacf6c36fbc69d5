"""Runtimes by name: onnxruntime, and OpenVINO where it is installed; one thread a run."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parkade_bench.peers.work import Rows, Run, onnxruntime_run


def open_run(runtime: str, model: Path, output: str) -> Run:
    """How *runtime* computes the tensor *output* of the file *model*."""
    return {"onnxruntime": onnxruntime_run, "openvino": _openvino_run}[runtime](model, output)


def _openvino_run(model: Path, output: str) -> Run:
    openvino = import_module("openvino")
    asked = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(str(model), "CPU", asked)
    request = compiled.create_infer_request()

    def run(feeds: Mapping[str, NDArray[Any]]) -> Rows:
        rows: Rows = request.infer(dict(feeds))[output].copy()
        return rows

    return run
