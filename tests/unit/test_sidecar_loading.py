"""Before a model is loaded: too little memory is the vehicle's, wherever it is noticed, and so is a task too new."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from parkade_agent.sidecar.errors import MemoryLentError
from parkade_agent.sidecar.loading import check_bundle
from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES, Blame, Cause
from parkade_models.checks import CHECK_COPIES
from parkade_models.errors import ModelRefusedError
from support.hostile import COLUMNS, model
from support.models import write_bundle
from support.supervised import Supervised

MEGABYTES = 8
CHECKED_UNDER_LIMITS = """
import resource, sys
from parkade_models.checks import check_model
raw = open(sys.argv[1], "rb").read()
_, most = resource.getrlimit(resource.RLIMIT_DATA)
for copies in range(1, 20):
    used = next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]
    resource.setrlimit(resource.RLIMIT_DATA, (int(used) * 1024 + copies * len(raw) // 5, most))
    try:
        check_model(raw, {})
        print("taken")
    except MemoryError:
        print("MemoryError")
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
"""


def heavy() -> bytes:
    """A good model with weights of some megabytes."""
    weights = np.ones((COLUMNS, MEGABYTES * (1 << 20) // 4 // COLUMNS), np.float32)
    node = helper.make_node("MatMul", ["x", "weights"], ["y"])
    return bytes(model([node], numpy_helper.from_array(weights, "weights")).SerializeToString())


def test_a_model_is_read_only_where_it_can_be_checked(tmp_path: Path) -> None:
    """A small vehicle says how much memory the check takes before it reads the file."""
    bundle = write_bundle(tmp_path, heavy())
    needed = CHECK_COPIES * bundle.manifest.files[0].size
    check_bundle(bundle, needed, print)
    with pytest.raises(MemoryLentError, match=rf"check model.onnx takes {needed} bytes; this vehicle lends"):
        check_bundle(bundle, needed - 1, print)


def test_a_model_that_no_vehicle_can_check_is_refused(tmp_path: Path) -> None:
    """Where the standard memory is not enough, and the manifest asks for no more, no vehicle is waited for."""
    bundle = write_bundle(tmp_path, heavy())
    entry = bundle.manifest.files[0].model_copy(update={"size": STANDARD_MEMORY_BYTES // CHECK_COPIES + 1})
    manifest = bundle.manifest.model_copy(update={"files": [entry]})
    huge = type(bundle)(bundle.folder, manifest, bundle.digest, bundle.variant)
    with pytest.raises(ModelRefusedError, match=f"at most {STANDARD_MEMORY_BYTES} are taken"):
        check_bundle(huge, STANDARD_MEMORY_BYTES, print)


def test_too_little_memory_makes_no_model_a_broken_one(tmp_path: Path) -> None:
    """Wherever in the check memory ends, it is said to be memory that was missing."""
    path = tmp_path / "model.onnx"
    path.write_bytes(heavy())
    command = [sys.executable, "-c", CHECKED_UNDER_LIMITS, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    ends = ran.stdout.split()
    assert ends == sorted(ends)
    assert set(ends) == {"MemoryError", "taken"}


async def test_a_task_of_a_newer_version_is_no_fault_of_the_model(tmp_path: Path) -> None:
    """While vehicles are upgraded one by one, those that are not leave the bundle to the others."""
    bundle = write_bundle(tmp_path / "bundle", heavy(), task="speech")
    sidecar = Supervised(bundle.folder, tmp_path)
    try:
        death = await sidecar.died()
    finally:
        await sidecar.kill()
    assert (death.cause, death.blame, death.is_final) == (Cause.TASK_UNKNOWN, Blame.VEHICLE, True)
    assert death.sentence.startswith("task 'speech' is not known here; this version knows classification")
