"""Scene: a driver gets in mid-batch. What counts is when the sidecar's own CPU clock stops."""

import time
from collections.abc import Callable

from parkade_hack import proc
from parkade_hack.demo.play import Play, vehicle_row
from parkade_hack.demo.stage import DemoError
from parkade_hack.local import AWAY, PARKED

WATCH_SECONDS = 0.9  # less than the pool's grace of a second: to be killed takes CPU time, too
BUSY_WITHIN_SECONDS = 20.0
RECLAIM_SECONDS = 0.25
GONE_SECONDS = 5.0
TAINT_SECONDS = 15.0
REOPEN_SECONDS = 120.0
TICK_SECONDS = 0.001


def driver_returns(play: Play, name: str) -> None:
    """Reclaims a working vehicle; every promise about it is checked."""
    play.stage.title(f"The driver of {name} gets in")
    vehicle = play.fleet.vehicles[name]
    sidecar = _busy_sidecar(play, name)
    seconds = reclaim_seconds(sidecar, lambda: vehicle.say(AWAY))
    play.stage.say(f"the sidecar's CPU clock (schedstat) last moved {seconds * 1000:.0f} ms after the signal")
    play.stage.check(f"reclaimed within {RECLAIM_SECONDS * 1000:.0f} ms", holds=seconds <= RECLAIM_SECONDS)
    play.stage.check("after the pool's grace its memory is free: the process is gone", holds=_ends(sidecar))
    play.until(
        lambda seen: (row := vehicle_row(seen, name)) is not None and row.state == "Closed",
        TAINT_SECONDS,
        f"{name} is closed to new work",
    )


def driver_leaves(play: Play, name: str) -> None:
    """The driver parks and plugs in again: what the sensors say from now on."""
    play.stage.title(
        f"The driver of {name} parks and plugs in again; the vehicle opens after its minimum hold"
    )
    play.fleet.vehicles[name].say(PARKED)


def await_reopening(play: Play, name: str) -> None:
    """Waits until the vehicle may work again, if the batch was quicker."""
    play.until(
        lambda seen: (row := vehicle_row(seen, name)) is not None and row.state in {"Free", "Working"},
        REOPEN_SECONDS,
        f"{name} may work again",
    )


def reclaim_seconds(pid: int, act: Callable[[], None]) -> float:
    """Seconds from *act* to the last time that the CPU clock of *pid* moved, watched for `WATCH_SECONDS`."""
    seen = _moving_clock(pid)
    act()
    begun = moved = time.monotonic()
    while time.monotonic() - begun < WATCH_SECONDS:
        spent = proc.cpu_nanoseconds(pid)
        if spent > seen:
            seen, moved = spent, time.monotonic()
        time.sleep(TICK_SECONDS)
    return moved - begun


def _ends(pid: int) -> bool:
    """Whether *pid* ends within `GONE_SECONDS`."""
    deadline = time.monotonic() + GONE_SECONDS
    while (is_there := proc.is_alive(pid)) and time.monotonic() < deadline:
        time.sleep(TICK_SECONDS)
    return not is_there


def _moving_clock(pid: int) -> int:
    """The CPU clock of *pid* at a moment when it moves, so that what stops it is what happens next."""
    deadline = time.monotonic() + BUSY_WITHIN_SECONDS
    seen = spent = proc.cpu_nanoseconds(pid)
    while spent == seen and time.monotonic() < deadline:
        time.sleep(TICK_SECONDS)
        spent = proc.cpu_nanoseconds(pid)
    return spent


def _busy_sidecar(play: Play, name: str) -> int:
    """The pid of the vehicle's sidecar once its clock moves: a sidecar that idles proves nothing."""
    deadline = time.monotonic() + BUSY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        pid = play.sidecar_of(name)
        if pid is not None:
            before = proc.cpu_nanoseconds(pid)
            time.sleep(0.3)
            if before and proc.cpu_nanoseconds(pid) - before > 0.01 * proc.NANOSECONDS_PER_SECOND:
                return pid
    raise DemoError(f"the sidecar of {name} does no work")
