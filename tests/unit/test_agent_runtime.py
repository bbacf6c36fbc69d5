"""Real processes under the brake and the governor."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_agent.guard import Holder
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.governor import IDLE_SECONDS, Governor
from parkade_agent.runtime.process import RunningProgram, _number_of
from support.programs import start

BUSY = "while True: pass"
# Windows in which CPU time is measured: nothing is waited for, so a slow machine only makes them longer.
SHARE_WINDOW_SECONDS = 2
FROZEN_WINDOW_SECONDS = 0.3
START_WINDOW_SECONDS = 0.5
RECLAIM_SECONDS = 0.1  # within which a hold must have taken effect


@contextlib.asynccontextmanager
async def running(folder: Path, brake: SlotBrake, code: str = BUSY) -> AsyncIterator[RunningProgram]:
    """A program under *brake* that is killed and reaped at the end."""
    with (folder / "log").open("ab") as log:
        program = start(code, folder, log.fileno())
    brake.add(program)
    try:
        yield program
    finally:
        program.signal(signal.SIGKILL)
        await program.wait()


async def until_busy(program: RunningProgram, cpu_seconds: float = 0.1) -> None:
    """Waits until the program has used that much CPU."""
    async with asyncio.timeout(20):
        while program.cpu_seconds() < cpu_seconds:  # noqa: ASYNC110 - the kernel's clock tells nobody
            await asyncio.sleep(0.01)


def schedstat_seconds(pid: int) -> float:
    """CPU seconds of a process as the scheduler counts them, beside our own reading."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


async def test_the_governor_holds_the_sum_to_its_share(tmp_path: Path) -> None:
    """Two busy programs together get about the lent share of a core, no more."""
    brake = SlotBrake()
    governor = Governor(brake, lambda: 0.4)
    async with running(tmp_path, brake) as one, running(tmp_path, brake) as two:
        await until_busy(one)
        await until_busy(two)
        governor.start()
        started, before = time.monotonic(), schedstat_seconds(one.pid) + schedstat_seconds(two.pid)
        await asyncio.sleep(SHARE_WINDOW_SECONDS)
        used = schedstat_seconds(one.pid) + schedstat_seconds(two.pid) - before
        share = used / (time.monotonic() - started)
        governor.stop()
    assert 0.15 < share < 0.55


async def test_the_governor_follows_what_is_lent_now(tmp_path: Path) -> None:
    """A share that the machine does not even have pauses nobody; one that shrinks holds within the second."""
    brake, shares = SlotBrake(), [1000.0]
    governor = Governor(brake, lambda: shares[-1])
    async with running(tmp_path, brake) as program:
        governor.start()
        await until_busy(program, 0.3)
        assert not brake.is_held(Holder.GOVERNOR)
        shares.append(0.2)
        await asyncio.sleep(2 * IDLE_SECONDS)
        started, before = time.monotonic(), schedstat_seconds(program.pid)
        await asyncio.sleep(SHARE_WINDOW_SECONDS)
        used, window = schedstat_seconds(program.pid) - before, time.monotonic() - started
        governor.stop()
    assert used / window < 0.4


async def test_a_hold_stops_cpu_use_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    """From a tenth of a second after the guard's hold on, the kernel counts no CPU time any more."""
    brake = SlotBrake()
    async with running(tmp_path, brake) as program:
        await until_busy(program)
        brake.hold(Holder.GUARD)
        await asyncio.sleep(RECLAIM_SECONDS)
        before = schedstat_seconds(program.pid)
        await asyncio.sleep(FROZEN_WINDOW_SECONDS)
        assert schedstat_seconds(program.pid) == before
        brake.release(Holder.GUARD)
        await until_busy(program, program.cpu_seconds() + 0.05)


async def test_the_governor_never_thaws_what_the_guard_froze(tmp_path: Path) -> None:
    """A pause and a freeze end only when both have ended, whoever lets go first."""
    brake = SlotBrake()
    async with running(tmp_path, brake) as program:
        await until_busy(program)
        brake.hold(Holder.GOVERNOR)
        brake.hold(Holder.GUARD)
        brake.release(Holder.GOVERNOR)
        await asyncio.sleep(RECLAIM_SECONDS)
        before = schedstat_seconds(program.pid)
        governor = Governor(brake, lambda: 0.5)
        governor.start()
        await asyncio.sleep(FROZEN_WINDOW_SECONDS)
        governor.stop()
        assert schedstat_seconds(program.pid) == before
        brake.release(Holder.GUARD)
        await until_busy(program, program.cpu_seconds() + 0.05)


async def test_a_program_started_during_a_freeze_does_not_run(tmp_path: Path) -> None:
    """A restart that crosses a freeze is stopped before it does any work."""
    brake = SlotBrake()
    brake.hold(Holder.GUARD)
    async with running(tmp_path, brake, "open('ran', 'w')") as program:
        await asyncio.sleep(START_WINDOW_SECONDS)
        assert not (tmp_path / "ran").exists()
        brake.release(Holder.GUARD)
        assert await program.wait() == 0
    assert (tmp_path / "ran").exists()


async def test_kill_ends_a_frozen_program_and_signals_stay_safe(tmp_path: Path) -> None:
    """SIGKILL needs no thaw; a signal after the end reaches nobody."""
    brake = SlotBrake()
    async with running(tmp_path, brake) as program:
        brake.hold(Holder.GUARD)
        brake.kill()
        async with asyncio.timeout(5):
            assert await program.wait() == 128 + signal.SIGKILL
        brake.kill()
        brake.remove(program)
        assert brake.cpu_seconds() == program.cpu_seconds()


async def test_one_that_cannot_be_killed_does_not_spare_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every program is tried before the brake says that it failed."""

    def refuse(_: signal.Signals) -> None:
        raise PermissionError

    brake, folders = SlotBrake(), [tmp_path / name for name in ("first", "last")]
    for folder in folders:
        folder.mkdir()
    async with running(folders[0], brake) as first, running(folders[1], brake) as last:
        for refusing, other in ((first, last), (last, first)):
            with monkeypatch.context() as patched:
                patched.setattr(refusing, "signal", refuse)
                with pytest.raises(PermissionError):
                    brake.kill()
            async with asyncio.timeout(20):
                assert await other.wait() == 128 + signal.SIGKILL


async def test_a_clock_that_jumps_is_no_debt_for_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs cannot have used more than the machine has: they go on soon."""
    brake, seconds = SlotBrake(), [0.0, 0.0, 10_000.0]
    monkeypatch.setattr(brake, "cpu_seconds", lambda: seconds.pop(0) if len(seconds) > 1 else seconds[0])
    async with running(tmp_path, brake) as program:
        governor = Governor(brake, lambda: 0.4)
        governor.start()
        await until_busy(program, 0.3)
        governor.stop()
    assert len(seconds) == 1


def test_a_reaped_program_has_no_number() -> None:
    """Its handle outlives it; the number that the kernel then gives would be the clock of whoever asks."""
    child = subprocess.Popen(["/bin/sleep", "1000"])
    handle = os.pidfd_open(child.pid)
    try:
        assert _number_of(handle) == child.pid
        child.kill()
        child.wait()
        assert _number_of(handle) is None
    finally:
        os.close(handle)


REPORT = """
import os, resource
print(os.sched_getscheduler(0) == os.SCHED_IDLE)
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
print(sorted(os.environ), open('/proc/self/oom_score_adj').read().strip())
"""


async def test_programs_start_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of a slot gives way to everything else and inherits nothing of the agent's environment."""
    monkeypatch.setenv("PARKADE_KEY_FILE", "secret")
    async with running(tmp_path, SlotBrake(), REPORT) as program:
        assert await program.wait() == 0
    schedule, limits, environment = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert schedule == "True"
    assert limits == "(0, 0) (512, 512)"
    assert "PARKADE_KEY_FILE" not in environment
    assert environment.endswith(" 1000")
    assert os.sched_getscheduler(0) != os.SCHED_IDLE
