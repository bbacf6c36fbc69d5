"""How a slot judges the lives and deaths of its sidecar, with real processes in the sidecar's place."""

import asyncio
import contextlib
import os
import platform
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parkade_agent.errors import BundleRefused, ModelRefused
from parkade_agent.guard import Holder
from parkade_agent.runtime import sidecar, standstill
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import slot_cgroup
from parkade_agent.runtime.last_words import SERVING
from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox.program import Program
from parkade_agent.runtime.sandbox.syscalls import NUMBERS
from parkade_agent.runtime.sidecar import SidecarLife
from parkade_core.vehicle.death import Blame, Cause, Limits, SidecarExit
from support.programs import sandbox, start

CRASH = 128 + signal.SIGSEGV
KILL = 128 + signal.SIGKILL
EXIT = NUMBERS[platform.machine()]["exit"]
"""The system call that ends one thread, also the first."""


@pytest.fixture
def life(tmp_path: Path) -> SidecarLife:
    """A sidecar that was just started and says that it is loading."""
    life = SidecarLife(tmp_path / "words", Limits())
    life.begin()
    life.words.write_text("while loading model.onnx")
    return life


@contextlib.contextmanager
def idle_program(folder: Path) -> Iterator[RunningProgram]:
    """A program that does nothing for a minute."""
    program = start("import time; time.sleep(60)", folder)
    try:
        yield program
    finally:
        program.signal(signal.SIGKILL)
        asyncio.run(program.wait())


def test_a_start_that_stands_still_is_ended(
    life: SidecarLife, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither serves nor uses CPU time: the agent kills it, and blames nobody's model."""
    monkeypatch.setattr(standstill, "_SECONDS", 0.5)

    async def stalled(program: RunningProgram) -> int:
        await life.end_stalled(program, SlotBrake())
        return await program.wait()

    with idle_program(tmp_path) as program:
        death = life.end(asyncio.run(stalled(program)))
    assert (death.cause, death.blame) == (Cause.LOAD_STALLED, Blame.VEHICLE)
    assert death.sentence == "the sidecar stood still while loading model.onnx"


@pytest.mark.parametrize(
    "fill",
    [
        "open('work/x', 'wb').write(bytes(2 << 20))",
        "open('sockets/x', 'wb').write(bytes(2 << 20))",
        "file = open('work/x', 'wb', 0); file.write(bytes(2 << 20)); os.unlink('work/x')",
        "file = open('work/x', 'w+b', 0); file.write(b'x'); held = mmap.mmap(file.fileno(), 1); os.unlink('work/x')",
        "a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [os.open('work/x', os.O_CREAT | os.O_RDWR)])",
        "threading.Thread(target=time.sleep, args=[60]).start(); ctypes.CDLL(None).syscall(EXIT, 0)",
    ],
)
def test_who_fills_the_disk_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: str) -> None:
    """Blocks of the disk count, in folders and in removed files; where they cannot be asked for, it is too much.

    So it is for a program that has ended its first thread, of which the kernel lists no file any more.
    """
    monkeypatch.setattr(sidecar, "MOST_FOLDER_BYTES", 1 << 20)
    work, sockets = tmp_path / "work", tmp_path / "sockets"
    work.mkdir()
    sockets.mkdir()
    life = SidecarLife(work / "words", Limits(), besides=[sockets])
    life.begin()

    async def filled() -> int:
        modules = "ctypes, mmap, os, socket, threading, time"
        program = start(f"import {modules}; {fill.replace('EXIT', str(EXIT))}; time.sleep(60)", tmp_path)
        await life.end_hoarding(program)
        return await program.wait()

    death = life.end(asyncio.run(filled()))
    assert (death.cause, death.blame) == (Cause.DISK_HOARDED, Blame.MODEL)


def test_the_kernels_kill_for_memory_is_told_from_others(tmp_path: Path) -> None:
    """Under RLIMIT_DATA, but over what the control group may hold: a model's death, by the kernel's own count."""
    script = tmp_path / "hungry.py"
    script.write_text("taken = bytes(256 << 20).replace(b'\\0', b'x')")
    walls = sandbox()
    with slot_cgroup(64 << 20) as cgroup, (tmp_path / "log").open("wb") as log:
        assert cgroup is not None
        life = SidecarLife(tmp_path / "words", Limits(), cgroup)
        life.begin()
        program = RunningProgram(Program(script, (), tmp_path), walls, log.fileno(), cgroup.join_files())
        exit_code = asyncio.run(program.wait())
        death = life.end(exit_code)
    assert (exit_code, death.cause, death.blame) == (KILL, Cause.OUT_OF_MEMORY, Blame.MODEL)


def test_a_frozen_start_has_its_time(
    life: SidecarLife, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the guard holds it, standing still is what it must do."""
    monkeypatch.setattr(standstill, "_SECONDS", 0.5)
    brake = SlotBrake()
    brake.hold(Holder.GUARD)

    async def watched(program: RunningProgram) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(life.end_stalled(program, brake), 3 * standstill._LOOK_SECONDS)

    with idle_program(tmp_path) as program:
        asyncio.run(watched(program))
        os.kill(program.pid, 0)


def test_the_second_death_in_a_row_is_final(life: SidecarLife) -> None:
    """One crash may be an accident; the model is blamed when it crashes again."""
    life.check(life.end(CRASH))
    life.begin()
    with pytest.raises(ModelRefused, match=r"Crashed: the sidecar crashed \(SIGSEGV\)"):
        life.check(life.end(CRASH))


def test_who_kills_it_twice_blames_the_vehicle(life: SidecarLife) -> None:
    """A machine short of memory refuses the bundle, and says nothing of the model."""
    life.check(life.end(KILL))
    life.begin()
    with pytest.raises(BundleRefused) as caught:
        life.check(life.end(KILL))
    assert not isinstance(caught.value, ModelRefused)


def test_a_kill_and_a_crash_are_no_two_crashes(life: SidecarLife) -> None:
    """The model is refused only when it is to blame for every death that counts."""
    life.check(life.end(KILL))
    life.begin()
    with pytest.raises(BundleRefused) as caught:
        life.check(life.end(CRASH))
    assert not isinstance(caught.value, ModelRefused)


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [(CRASH, SERVING), (SidecarExit.RUN_STUCK, "one run took 61 s of CPU time")],
)
def test_who_says_that_it_served_did(life: SidecarLife, exit_code: int, words: str) -> None:
    """It may die at its first record, before anybody has asked whether it serves."""
    for _ in range(5):
        life.words.write_text(words)
        life.check(life.end(exit_code))
        life.begin()


def test_deaths_after_it_served_do_not_add_up(life: SidecarLife) -> None:
    """A sidecar that served between two deaths is started again, as often as it takes."""
    for _ in range(5):
        life.check(life.end(CRASH))
        life.begin()
        life.serves()
        life.check(life.end(CRASH))
        life.begin()


def test_a_refusal_is_final_at_once(life: SidecarLife) -> None:
    """What the checks refuse they would refuse again."""
    life.words.write_text("no.")
    with pytest.raises(ModelRefused, match=r"ModelRefused: no\."):
        life.check(life.end(SidecarExit.BUNDLE))


async def test_a_lost_sidecar_is_explained(life: SidecarLife) -> None:
    """A runner that notices first waits a moment for the reason; without a death its own words stay."""
    life.serves()
    life.words.write_text("while serving")
    explained = asyncio.create_task(life.explain("Socket closed", time.monotonic()))
    await asyncio.sleep(0)
    life.end(CRASH)
    assert await explained == "Crashed: the sidecar crashed (SIGSEGV) while serving"


async def test_without_a_death_the_runners_words_stay(
    life: SidecarLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sidecar lives: something else ended the call."""
    monkeypatch.setattr(sidecar, "_DEATH_IS_NOTICED_SECONDS", 0.01)
    assert await life.explain("the run was stopped", time.monotonic()) == "the run was stopped"


async def test_a_sidecar_that_was_dead_before_the_shard_is_explained(life: SidecarLife) -> None:
    """A runner that finds nobody is told of what, also when the sidecar died idle."""
    life.end(CRASH)
    explained = await life.explain("Socket closed", time.monotonic())
    assert explained.startswith("Crashed: the sidecar crashed (SIGSEGV)")


async def test_an_older_death_explains_nothing(life: SidecarLife, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that was begun after it failed of something else."""
    monkeypatch.setattr(sidecar, "_DEATH_IS_NOTICED_SECONDS", 0.01)
    life.end(CRASH)
    life.begin()
    assert await life.explain("no memory", time.monotonic()) == "no memory"
