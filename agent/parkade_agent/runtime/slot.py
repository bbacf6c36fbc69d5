"""One slot: the bundle, the sidecar, then the runner, kept running as long as the assignment stands.

A slot ends once and for one reason: the gateway ends the assignment, the guard kills, the vehicle refuses the
bundle, or the agent stops. What it finished is still sent after the end.
"""

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from parkade_agent import health
from parkade_agent.backoff import delays
from parkade_agent.bundles import Bundles
from parkade_agent.errors import BundleRefused
from parkade_agent.folders import emptied
from parkade_agent.guard import Holder
from parkade_agent.journal.attempts import Attempt
from parkade_agent.lanes import LentLanes
from parkade_agent.runtime import programs
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import UNKILLABLE_SECONDS
from parkade_agent.runtime.container import Container
from parkade_agent.runtime.output import ContainerLog, Output
from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox.program import Program
from parkade_agent.runtime.sandbox.walls import Sandbox
from parkade_agent.runtime.service import serving
from parkade_agent.runtime.sidecar import SidecarLife
from parkade_agent.runtime.standstill import stood_still
from parkade_agent.shards import Shards, Supply
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import CONTAINER_RUNNER, CONTAINER_SIDECAR, Reason
from parkade_core.vehicle.death import Cause, Limits

EXIT_KILLED = 128 + signal.SIGKILL
RESTART_SECONDS = (0.5, 60.0)
FORGIVEN_SECONDS = 60.0
GUARD_SECONDS = 0.05
_PROGRAMS = 2
LAST_WORDS = "sidecar.words"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What a slot uses of its vehicle. `sockets` must be a short path: a socket's address has 108 bytes."""

    brake: SlotBrake
    sandbox: Sandbox
    bundles: Bundles
    supply: Supply
    slots: Path
    sockets: Path
    lanes: LentLanes
    limits: Limits


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a slot ends, and how long its programs may take to stop by themselves, in seconds."""

    reason: str
    message: str
    grace: float = 0.0


class Slot:
    """One assignment's life, in the event loop. *on_change* hears of every new status.

    *in_hand* are shards that the slot had before the agent was killed; their files lie in the slot's folder.
    `has_ended` is set when no process of the slot is left; finished shards may still be on their way. Of
    `folder` only the logs are left once `run` returns.
    """

    def __init__(
        self,
        assignment: fleet_pb2.Assignment,
        vehicle: Vehicle,
        in_hand: Iterable[Attempt],
        on_change: Callable[["Slot"], None],
    ) -> None:
        self.assignment = assignment
        self._vehicle = vehicle
        self._on_change = on_change
        self.folder = vehicle.slots / assignment.pod_uid
        self._work, self._sidecar_socket = self.folder / "work", vehicle.sockets / "sidecar" / "s"
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._ended: Ending | None = None
        self.has_ended = asyncio.Event()
        self._sidecar = Container(CONTAINER_SIDECAR)
        self._runner = Container(CONTAINER_RUNNER)
        self.logs = {name: ContainerLog(self.folder, name) for name in (CONTAINER_RUNNER, CONTAINER_SIDECAR)}
        self._sidecar_life = SidecarLife(
            self._work / LAST_WORDS, vehicle.limits, vehicle.brake.cgroup, [self._sidecar_socket.parent]
        )
        self._sidecar_serves = asyncio.Event()
        self._programs: dict[str, RunningProgram] = {}
        self.shards = Shards(assignment, self._work, vehicle.supply, in_hand, self._idle, self._disk_failed)

    def end(self, ending: Ending) -> None:
        """Ends the slot; the first reason stands."""
        if not self._ending.done():
            self._ending.set_result(ending)

    def status(self) -> fleet_pb2.SlotStatus:
        """What the gateway is told of this slot."""
        return fleet_pb2.SlotStatus(
            pod_uid=self.assignment.pod_uid,
            containers=[self._sidecar.state(), self._runner.state()],
            ended=self._ended is not None,
            reason=self._ended.reason if self._ended else "",
            message=self._ended.message if self._ended else "",
        )

    async def run(self) -> None:
        """Lives until ended."""
        life = asyncio.create_task(self._live(), name="slot")
        any_of: set[asyncio.Future[Any]] = {life, self._ending}
        await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            self.end(_failure(life))
        ending = await self._ending
        await self._stop(life, ending)
        # Before the next slot can begin: it has the same place for its socket.
        await asyncio.to_thread(shutil.rmtree, self._sidecar_socket.parent, ignore_errors=True)
        self.shards.close(ending.reason)
        self._ended = ending
        self.has_ended.set()
        self._on_change(self)
        _log.info("slot ended", pod=self.assignment.pod_name, reason=ending.reason, message=ending.message)
        await asyncio.to_thread(shutil.rmtree, self._work, ignore_errors=True)

    async def _live(self) -> None:
        """Runs both programs; returns never, raises BundleRefused."""
        bundle = await self._vehicle.bundles.get(self.assignment.batch_uid, self.assignment.bundle_digest)
        (self._work / "empty").mkdir(parents=True, exist_ok=True)
        agent_socket, sidecar_socket = self._vehicle.sockets / "a", self._sidecar_socket
        agent_socket.unlink(missing_ok=True)
        await asyncio.to_thread(emptied, sidecar_socket.parent)
        words, lanes, limits = self._sidecar_life.words, self._vehicle.lanes.at_start, self._vehicle.limits
        sidecar = programs.sidecar(bundle, self._work, sidecar_socket, words, lanes, limits)
        async with (
            serving(self.shards, agent_socket, self._sidecar_life.explain) as secret,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._keep(self._sidecar, sidecar))
            tasks.create_task(self._watch_sidecar(sidecar_socket))
            tasks.create_task(self._watch_work())
            tasks.create_task(self._vehicle.lanes.keep(sidecar_socket))
            await self._sidecar_serves.wait()
            runner = programs.runner(self._work, agent_socket, sidecar_socket, limits, secret)
            tasks.create_task(self._keep(self._runner, runner))

    async def _keep(self, container: Container, program: Program) -> None:
        """Runs one program and restarts it with growing patience whenever it ends."""
        waits = delays(*RESTART_SECONDS)
        while True:
            started = time.monotonic()
            exit_code = await self._once(container, program)
            death = self._sidecar_life.end(exit_code) if container is self._sidecar else None
            await self._guard_lets_go()  # what it held was killed: not a crash of the program's own
            if death is not None:
                if death.cause is Cause.BUNDLE_DAMAGED:
                    await self._vehicle.bundles.drop(self.assignment.bundle_digest)
                self._sidecar_life.check(death)
            if time.monotonic() - started > FORGIVEN_SECONDS:
                waits = delays(*RESTART_SECONDS)
            delay = next(waits)
            container.exit_code, container.restarts = exit_code, container.restarts + 1
            why = death.sentence if death is not None else f"exit code {exit_code}"
            container.waits("CrashLoopBackOff", f"{why}; starts again in {delay:.1f} s")
            self._on_change(self)
            await asyncio.sleep(delay)

    async def _guard_lets_go(self) -> None:
        """Returns once the guard holds nothing, so that a program may begin; never in a slot that is about to end."""
        while self._vehicle.brake.is_held(Holder.GUARD) or self._ending.done():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(GUARD_SECONDS)

    async def _once(self, container: Container, program: Program) -> int:
        await self._guard_lets_go()
        if container is self._sidecar:
            self._sidecar_life.begin()
        with contextlib.closing(self.logs[container.name].begin()) as output:
            return await self._watched(container, self._started(program, output))

    def _started(self, program: Program, output: Output) -> RunningProgram:
        with output.inlet() as inlet:
            return RunningProgram(program, self._vehicle.sandbox, inlet, self._vehicle.brake.join_files())

    async def _watched(self, container: Container, running: RunningProgram) -> int:
        self._programs[container.name] = running
        self._vehicle.brake.add(running)
        container.runs()
        container.is_ready = container is self._runner
        self._on_change(self)
        is_sidecar, brake = container is self._sidecar, self._vehicle.brake
        try:
            with self._sidecar_life.watched(running, brake) if is_sidecar else contextlib.nullcontext():
                return await running.wait()
        except asyncio.CancelledError:
            running.signal(signal.SIGKILL)
            await self._gone(container, running)
            raise
        finally:
            brake.remove(running)
            del self._programs[container.name]

    async def _gone(self, container: Container, running: RunningProgram) -> None:
        """Waits for the end of a killed program; while the kernel holds it, the slot stays and says so."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.wait(), UNKILLABLE_SECONDS)
            return
        _log.error("unkillable", program=container.name, process=running.pid)
        container.waits(Reason.UNKILLABLE, self._vehicle.brake.unkillable())
        self._on_change(self)
        await running.wait()

    async def _watch_work(self) -> None:
        """Kills both programs when a shard is in hand and neither gets on with it."""
        while True:
            await stood_still(self._vehicle.brake.cpu_seconds, self._may_rest)
            _log.warning("slot stands still", pod=self.assignment.pod_name)
            self._sidecar_life.stalls()
            for running in self._programs.values():
                running.signal(signal.SIGKILL)

    def _may_rest(self) -> bool:
        is_held = self._vehicle.brake.is_held(Holder.GUARD)
        return is_held or not self.shards.is_at_work or len(self._programs) < _PROGRAMS

    async def _watch_sidecar(self, socket: Path) -> None:
        """Follows the sidecar's own health; a restarted sidecar becomes ready again when it serves again."""
        async for serves in health.follow(socket):
            if serves != self._sidecar.is_ready and CONTAINER_SIDECAR in self._programs:
                self._sidecar.is_ready = serves
                self._on_change(self)
                if serves:
                    self._vehicle.lanes.sidecar_serves()
            if serves:
                self._sidecar_life.serves()
                self._sidecar_serves.set()

    async def _stop(self, life: asyncio.Task[None], ending: Ending) -> None:
        """Stops both programs within the grace, then kills and reaps them."""
        exit_codes = dict.fromkeys((CONTAINER_RUNNER, CONTAINER_SIDECAR), EXIT_KILLED)
        if ending.grace > 0:
            exit_codes |= await self._stopped_within(ending.grace)
        life.cancel()
        # Whatever went wrong in it has been told by now: the slot's end must not fail of it.
        with contextlib.suppress(asyncio.CancelledError, Exception, BaseExceptionGroup):
            await life
        for container in (self._sidecar, self._runner):
            reason = ending.reason or ("Completed" if exit_codes[container.name] == 0 else "Error")
            container.ends(exit_codes[container.name], reason, ending.message)

    async def _stopped_within(self, seconds: float) -> dict[str, int]:
        """Tells both programs to stop; the exit codes of those that do so in time.

        The runner comes first: one whose sidecar goes before it reports the shard as lost with the sidecar.
        """
        waits = dict[str, asyncio.Task[int]]()
        for name in (CONTAINER_RUNNER, CONTAINER_SIDECAR):
            if (running := self._programs.get(name)) is not None:
                running.signal(signal.SIGTERM)
                waits[name] = asyncio.create_task(running.wait())
                await asyncio.wait(waits.values(), timeout=seconds / 2)
        for wait in waits.values():
            wait.cancel()
        return {name: wait.result() for name, wait in waits.items() if wait.done()}

    def _idle(self, is_idle: bool) -> None:  # noqa: FBT001 - a callback
        """A runner without a shard is not ready, so that its ReplicaSet takes it first when it shrinks."""
        is_ready = not is_idle and CONTAINER_RUNNER in self._programs
        if self._runner.is_ready != is_ready:
            self._runner.is_ready = is_ready
            self._on_change(self)

    def _disk_failed(self, message: str) -> None:
        self.end(Ending(Reason.NO_SPACE, message))


def _failure(task: asyncio.Task[None]) -> Ending:
    """Why the slot's life ended by itself."""
    error = asyncio.CancelledError("cancelled") if task.cancelled() else task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BundleRefused):
        return Ending(error.reason, str(error))
    _log.error("slot failed", error=str(error), kind=type(error).__name__)
    words = error.strerror if isinstance(error, OSError) else None  # the cluster hears of no path
    return Ending("Error", words or "the slot could not run: the vehicle's log says why")
