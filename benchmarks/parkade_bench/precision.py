"""INT8 over FP32: how much faster the same model runs, and what is left of its quality."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parkade_bench.peers.work import open_work
from parkade_bench.spread import Spread, spread
from parkade_bench.worker import Worker, module
from parkade_models.digits_data import Digit


@dataclass(frozen=True, slots=True)
class Gain:
    """What INT8 gains, and what it costs in the metric of the task."""

    title: str
    speed: Spread
    metric: str
    fp32: float
    int8: float

    @property
    def kept(self) -> float:
        """INT8's metric over FP32's."""
        return self.int8 / self.fp32


def speed_over(shard: Path, slow: Path, fast: Path, rounds: int, scratch: Path) -> Spread:
    """CPU time of the bundle *slow* over that of *fast*, one thread, one item a run."""
    command = module("peers.compare", shard, f"onnxruntime={slow}", f"onnxruntime={fast}")
    return ratio_of_runs(command, rounds, scratch)


def ratio_of_runs(command: tuple[str, ...], rounds: int, scratch: Path) -> Spread:
    """CPU time of the first graph over that of the second, as `peers/compare.py` started by *command* measures it."""
    worker = Worker(command, scratch / "compare.log")
    try:
        seconds = [worker.ask()["seconds"] for _ in range(rounds)]
    finally:
        worker.close()
    return spread(before / after for before, after in seconds)


def accuracy(bundle: Path, digits: Sequence[Digit]) -> float:
    """The share of digits whose likeliest label is the right one."""
    work = open_work(bundle)
    rows = np.concatenate([work.answer([digit.png]) for digit in digits])
    labels = np.array([int(digit.label) for digit in digits])
    return float((rows.argmax(axis=1) == labels).mean())
