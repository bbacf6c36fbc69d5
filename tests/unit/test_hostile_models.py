"""Hostile models in real sidecars, with the checks and without them: each is contained and its reason is told.

A good model answers in a sidecar beside them all the while, and now and then one that is started after they died.
Here the test stands for the agent; that an agent lives on is held by test_agent_model_deaths.
"""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox.layers import Layer
from parkade_agent.runtime.sandbox.program import Program
from parkade_api.bundle import TensorInput, TensorShape
from parkade_core.vehicle.death import Blame, Cause, End, Limits, attribute
from support import hostile_bombs
from support.canary import Canary
from support.hostile import CANARY, COLUMNS, OUTSIDE, STRUCTURES, Hostile, good
from support.hostile_files import FILES, mutations
from support.models import write_bundle
from support.programs import sandbox
from support.supervised import LIMITS, Supervised, answer, serving

pytestmark = [pytest.mark.long(75), pytest.mark.timeout(600)]

LEAVES_THE_FILE = [case for case in STRUCTURES if case.name.startswith("outside")]
CHECKED = [*LEAVES_THE_FILE, *FILES, *hostile_bombs.REFUSED, *hostile_bombs.BY_LIMITS]
FOLLOWED_BY_A_GOOD_ONE = CHECKED[::12]
BURN_AS_OTHERS_DO = {"load-bomb", "many-at-once", "loop-in-a-loop", "products-without-a-loop"}
"""Seconds each without the checks, as "doubling" (memory) and "products-of-constants" (CPU time) take them."""
CORPUS = [*STRUCTURES, *FILES, *hostile_bombs.REFUSED, *hostile_bombs.BY_LIMITS, *mutations(10)]
BYPASSING = [case for case in CORPUS if case.name not in BURN_AS_OTHERS_DO]
MOST_GROWTH_BYTES = 64 << 20
UNCHECKED = Path(hostile_bombs.__file__).with_name("unchecked.py")
INPUT = TensorInput(kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=[1, COLUMNS])])


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    """The file that no model may make anybody open."""
    watched = Canary(tmp_path_factory.mktemp("outside") / CANARY)
    yield watched
    watched.close()


@pytest.fixture(scope="module")
def good_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a model that must work beside all the others, and after them."""
    return write_bundle(
        tmp_path_factory.mktemp("good"), bytes(good().SerializeToString()), input=INPUT
    ).folder


@pytest.fixture(scope="module")
def neighbour(good_bundle: Path) -> Iterator[grpc.Channel]:
    """The good model that another slot serves all the while."""
    with serving(good_bundle) as (_, channel):
        yield channel


def _answer_of_another(bundle: Path) -> list[float]:
    """What a sidecar answers that is started for it."""
    with serving(bundle) as (_, channel):
        return answer(channel, [1, 2, 3, 4])


def _laid(folder: Path, content: bytes, canary: Path) -> Path:
    """The bundle of a hostile model, with the links that it names beside its file."""
    write_bundle(folder, content, input=INPUT)
    (folder / OUTSIDE["symlink"]).symlink_to(canary)
    (folder / OUTSIDE["hardlink"]).hardlink_to(canary)
    os.mkfifo(folder / OUTSIDE["fifo"])
    return folder


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.name)
async def test_a_hostile_model_ends_its_own_sidecar_only(
    case: Hostile, tmp_path: Path, canary: Canary, good_bundle: Path, neighbour: grpc.Channel
) -> None:
    """It dies for the reason that is told, opens nothing, and good models answer as before."""
    bundle = _laid(tmp_path / "bundle", case.make(canary.path.parent), canary.path)
    before = _resident_bytes()
    sidecar = Supervised(bundle, tmp_path)
    try:
        death = await sidecar.died()
    finally:
        await sidecar.kill()
    assert re.search(case.says, f"{death.cause}: {death.sentence}")
    # Here a start has less CPU time than the standard, and that is no proof against a model.
    assert death.blame is (Blame.VEHICLE if death.cause is Cause.LOAD_TOO_LONG else Blame.MODEL)
    assert sidecar.program.cpu_seconds() < LIMITS.load_cpu_seconds + 1
    assert not canary.was_opened()
    assert answer(neighbour, [1, 2, 3, 4]) == [1, 3, 5, 7]
    assert _resident_bytes() - before < MOST_GROWTH_BYTES
    if case in FOLLOWED_BY_A_GOOD_ONE:
        assert await asyncio.to_thread(_answer_of_another, good_bundle) == [1, 3, 5, 7]


def _unchecked(bundles: list[Path], folder: Path) -> list[dict[str, Any]]:
    """Every bundle loaded without a check, by children of one process under the launcher's limits."""
    empty = folder / "empty"
    empty.mkdir()
    with (folder / "out").open("wb") as output:
        program = Program(
            UNCHECKED,
            tuple(map(str, bundles)),
            folder=empty,
            writable=(bundles[0].parent,),
            memory_bytes=LIMITS.memory_bytes,
            cpu_seconds=LIMITS.load_cpu_seconds,
        )
        # The filter of system calls would not let it make children.
        walls = replace(sandbox(), layers=sandbox().layers - {Layer.SECCOMP})
        running = RunningProgram(program, walls, output.fileno())
        asyncio.run(running.wait())
    lines = (folder / "out").read_bytes().splitlines()
    return [json.loads(line) for line in lines if line.startswith(b'{"name"')]


def test_the_limits_hold_without_the_checks(tmp_path: Path, canary: Canary, neighbour: grpc.Channel) -> None:
    """With admission bypassed each still ends within its CPU time and memory, for a reason, and opens nothing."""
    bundles = [
        _laid(tmp_path / "bundles" / case.name, case.make(canary.path.parent), canary.path)
        for case in BYPASSING
    ]
    ends = _unchecked(bundles, tmp_path)
    assert [end["name"] for end in ends] == [case.name for case in BYPASSING]
    for end in ends:
        death = attribute(End(end["exit_code"], has_served=False, words=end["words"]), Limits())
        told = f"{end['name']}: {death.cause}: {death.sentence}"
        harmless = end["exit_code"] == 0
        assert harmless or death.blame is Blame.MODEL, told
        assert harmless or death.cause in {
            Cause.MODEL_REFUSED,
            Cause.OUT_OF_MEMORY,
            Cause.LOAD_TOO_LONG,
            Cause.CRASHED,
        }, told
        assert end["cpu_seconds"] < LIMITS.load_cpu_seconds + 1, told
        assert end["most_bytes"] < LIMITS.memory_bytes + (512 << 20), told
    assert not canary.was_opened()
    assert answer(neighbour, [1, 2, 3, 4]) == [1, 3, 5, 7]
