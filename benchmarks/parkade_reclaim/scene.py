"""A vehicle as it is: the agent's process, its slot at work on every core that is lent, a gateway behind a relay."""

import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parkade_bench.errors import BenchError
from parkade_hack.proc import cpu_nanoseconds, descendants
from parkade_reclaim.relay import Relay
from support.vehicles import AgentProcess, Certificates, Door, open_door, running_agent

LANES: Final = 2
_SHARDS: Final = 64
_READY_SECONDS: Final = 60.0
_BUSY_SHARE: Final = 0.8  # of the cores that are lent; the rest is what others take
_LOOK_SECONDS: Final = 0.1
_LAST_LINES: Final = 10
_MOST_WAIT_SECONDS: Final = 0.03  # stops fall anywhere in a run
_CHANCE: Final = random.Random(1)  # noqa: S311 - a moment, no secret


@dataclass(frozen=True)
class Scene:
    """What a measurement acts on."""

    door: Door
    relay: Relay
    agent: AgentProcess

    async def assign(self) -> None:
        """Gives the vehicle a slot as soon as its guard lets it start."""
        await self.door.until(_may_start, _READY_SECONDS)
        self.door.assign()

    async def loaded(self) -> None:
        """The same, and waits until the slot uses every core that is lent. Raises BenchError when it never does."""
        await self.assign()
        await self.door.until(lambda door: door.fetched, _READY_SECONDS)
        last = time.monotonic() + _READY_SECONDS
        while await self._cores() < _BUSY_SHARE * LANES:
            if time.monotonic() > last:
                raise BenchError(f"the slot never used {LANES} cores: {self._told()}")
        await asyncio.sleep(_CHANCE.uniform(0, _MOST_WAIT_SECONDS))

    def programs(self) -> list[int]:
        """Every process below the agent."""
        return descendants(self.agent.process.pid)

    async def ended(self) -> None:
        """Waits for the slot's last words."""
        await self.door.until(lambda door: door.ended(), _READY_SECONDS)

    def _told(self) -> str:
        """What agent and slot said last."""
        log = (self.agent.state.parent / "agent.log").read_text(encoding="utf-8").splitlines()
        return "\n".join([*map(str, self.door.statuses()[-1:]), *log[-_LAST_LINES:]])

    async def _cores(self) -> float:
        pids = self.programs()
        before, at = sum(map(cpu_nanoseconds, pids)), time.monotonic_ns()
        await asyncio.sleep(_LOOK_SECONDS)
        return (sum(map(cpu_nanoseconds, pids)) - before) / (time.monotonic_ns() - at)


@dataclass(frozen=True)
class Stage:
    """What every scene begins with; each has an agent of its own, which never heard of a driver before."""

    bundle: Path
    shard: bytes
    certificates: Certificates

    @contextlib.asynccontextmanager
    async def scene(self) -> AsyncIterator[Scene]:
        """A vehicle that has a session and may start."""
        door = Door(self.bundle, [self.shard] * _SHARDS)
        share = float(LANES)
        async with open_door(door, self.certificates) as port, (relay := Relay(port)).serving() as relayed:
            with tempfile.TemporaryDirectory(prefix="pk-") as folder:
                async with running_agent(
                    Path(folder), relayed, self.certificates, cpu_share=share, lanes=LANES
                ) as agent:
                    await door.until(_may_start, _READY_SECONDS)
                    yield Scene(door, relay, agent)


@contextlib.asynccontextmanager
async def observing(pids: list[int], seconds: float) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    """Has another process look at *pids* for up to *seconds*; the task's result is what it saw."""
    command = ("-m", "parkade_reclaim.observer", str(seconds), *map(str, pids))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    if process.stdout is not None:
        await process.stdout.readline()
    seen = asyncio.create_task(_read(process))
    try:
        yield seen
    finally:
        await asyncio.gather(seen, return_exceptions=True)


async def _read(process: asyncio.subprocess.Process) -> dict[str, Any]:
    out, _ = await process.communicate()
    seen: dict[str, Any] = json.loads(out)
    return seen


def _may_start(door: Door) -> bool:
    told = [message.telemetry for message in door.heard if message.HasField("telemetry")]
    return bool(told) and told[-1].guard_state == "Run" and not told[-1].guard_message
