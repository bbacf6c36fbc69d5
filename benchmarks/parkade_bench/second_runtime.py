"""OpenVINO beside onnxruntime on the same files: whether a second runtime for transformers would pay."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parkade_bench.errors import BenchError
from parkade_bench.peers.work import Rows, Run, onnxruntime_run, open_work, read_items, read_manifest
from parkade_bench.precision import ratio_of_runs
from parkade_bench.spread import Spread
from parkade_bench.worker import environment, module
from parkade_models.recipes import Calibration, Feeds, Method, Recipe, Scope, quantize

_CALIBRATION_ITEMS: Final = 64
_STATIC: Final = Recipe(Method.MIN_MAX, Scope.ALL)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file in both runtimes."""

    title: str
    speed: Spread
    """CPU time of onnxruntime over OpenVINO's, one thread, one text a run."""

    onnxruntime: Mapping[str, Any]
    openvino: Mapping[str, Any]


def compare(title: str, bundle: Path, shard: Path, rounds: int, python: Path, scratch: Path) -> Comparison:
    """Both runtimes on the model of *bundle*, in the environment of *python*."""
    graphs = (f"onnxruntime={bundle}", f"openvino={bundle}")
    speed = ratio_of_runs(module("peers.compare", shard, *graphs, python=python), rounds, scratch)
    saved = scratch / f"{bundle.name}.npy"
    told = [
        probe(module("peers.probe", runtime, bundle, shard, 1, saved, python=python))
        for runtime in ("onnxruntime", "openvino")
    ]
    return Comparison(title, speed, *told)


def probe(command: tuple[str, ...]) -> Mapping[str, Any]:
    """What a graph tells when it runs alone in a process."""
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} ended with exit code {done.returncode}: {done.stderr.strip()}")
    told: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def static_bundle(fp32: Path, shard: Path, target: Path) -> Path:
    """The bundle *fp32* with its graph quantized by fixed ranges: the format that OpenVINO is made for."""
    feeds: list[Feeds] = []
    work = open_work(fp32, _keeping(feeds))
    for item in read_items(fp32, shard)[:_CALIBRATION_ITEMS]:
        work.answer([item])
    shutil.copytree(fp32, target)
    model = target / read_manifest(fp32)["variants"][0]["file"]
    quantize(_STATIC, fp32 / model.name, model, Calibration(fp32 / model.name, feeds, target))
    return target


def _keeping(feeds: list[Feeds]) -> Callable[[Path, str], Run]:
    def open_run(model: Path, output: str) -> Run:
        run = onnxruntime_run(model, output)

        def keeping(fed: Feeds) -> Rows:
            feeds.append(dict(fed))
            return run(fed)

        return keeping

    return open_run
