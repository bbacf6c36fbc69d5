"""What changes the bytes of answers: lanes, the version of onnxruntime, instructions that a CPU lacks.

Instructions are taken away by an emulated CPU (QEMU's user mode, from Debian's package, unpacked into the cache
folder): it has AVX2 and neither AVX-512 nor VNNI. QEMU emulates no AVX-512, so that without VNNI is not shown.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np

from parkade_bench.bench import Say
from parkade_bench.environments import python_of
from parkade_bench.errors import UnavailableError
from parkade_bench.second_runtime import probe
from parkade_bench.worker import module
from parkade_bench.workload import write_shard
from parkade_models.cache import cache_folder, file_lock
from parkade_models.docstrings import find_documents, sample
from parkade_models.retrieval import mean_reciprocal_rank

LANES: Final = (1, 2, 4)
ITEMS: Final = 16  # an emulated CPU is a hundred times slower
PAIRS: Final = 300
_PACKAGE: Final = "qemu-user-static"
_PROGRAM: Final = "usr/bin/qemu-x86_64-static"
_CPU: Final = "Haswell"


@dataclass(frozen=True, slots=True)
class Change:
    """A model under one change, against the same model here on one lane."""

    model: str
    what: str
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Start:
    """How a process is started: what stands before the interpreter, the interpreter, lanes."""

    before: tuple[str, ...]
    python: Path
    lanes: int


def changes(
    models: Mapping[str, tuple[Path, Path]], scratch: Path, missing: dict[str, str], say: Say
) -> Iterator[Change]:
    """Every change of every model; *models* are bundle and shard by name. What cannot be tried goes to *missing*."""
    starts = dict(_starts(missing))
    total = len(starts) * len(models)
    for number, (name, (what, start)) in enumerate(product(models, starts.items())):
        say(f"{name}, {what}", number, total)
        bundle, shard = models[name]
        saved = scratch / f"{name}.npy"
        command = module("peers.probe", "onnxruntime", bundle, shard, start.lanes, saved, python=start.python)
        yield Change(name, what, probe((*start.before, *command)))


@dataclass(frozen=True, slots=True)
class Kept:
    """MRR@10 of first lines that look for their bodies: in FP32, in INT8 here, and in INT8 without VNNI."""

    pairs: int
    fp32: float
    int8: float
    without_vnni: float


def quality_without_vnni(fp32: Path, int8: Path, scratch: Path) -> Kept:
    """How good INT8 is where 8-bit products saturate. Raises UnavailableError."""
    emulated = (str(_qemu()), "-cpu", _CPU)
    documents = sample(list(find_documents(Path(sysconfig.get_path("stdlib")))), PAIRS)
    shard = scratch / "pairs.jsonl"
    write_shard(shard, [{"input": text} for each in documents for text in (each.query, each.body)])
    starts = {"fp32": ((), fp32), "int8": ((), int8), "without_vnni": (emulated, int8)}
    found = {}
    for name, (before, bundle) in starts.items():
        saved = scratch / f"{name}.npy"
        probe((*before, *module("peers.probe", "onnxruntime", bundle, shard, 1, saved)))
        rows = np.load(saved)
        found[name] = mean_reciprocal_rank(rows[::2], rows[1::2])
    return Kept(len(documents), **found)


def _starts(missing: dict[str, str]) -> Iterator[tuple[str, _Start]]:
    """What each change is started with; the first is what is usual."""
    own = Path(sys.executable)
    for lanes in LANES:
        yield f"{lanes} lane{'s' if lanes > 1 else ''}", _Start((), own, lanes)
    makers: Mapping[str, Callable[[], _Start]] = {
        "onnxruntime 1.27.0": lambda: _Start((), python_of("earlier-ort"), 1),
        "no AVX-512, no VNNI": lambda: _Start((str(_qemu()), "-cpu", _CPU), own, 1),
    }
    for what, make in makers.items():
        try:
            yield what, make()
        except UnavailableError as error:
            missing[what] = str(error)


def _qemu() -> Path:
    """The emulator's program, unpacked when the cache has none."""
    folder = cache_folder() / "bench" / _PACKAGE
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / _PROGRAM).exists():
            folder.mkdir(parents=True, exist_ok=True)
            _do(folder, "apt-get", "download", _PACKAGE)
            _do(folder, "dpkg", "-x", *(path.name for path in folder.glob("*.deb")), ".")
    return folder / _PROGRAM


def _do(folder: Path, *command: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UnavailableError(f"{command[0]} is not here: the emulator is a package of Debian") from None
    if done.returncode:
        raise UnavailableError(f"{' '.join(command)}: {done.stderr.strip()}")
