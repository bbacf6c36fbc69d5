"""One container: started, probed, watched, ended, and started again as its pod's restart policy wants it."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from parkade_agent.runtime.output import ContainerLog
from parkade_core.kubelet.pod import WAITING, ContainerView, Object
from parkade_hack.node.objects import NotThere
from parkade_hack.node.probes import ask_until
from parkade_hack.node.process import Process
from parkade_hack.node.quantity import in_bytes
from parkade_hack.node.restarts import Ending, ending_of, wait_before_restart

_LOOK_SECONDS = 1.0
_NOT_FOUND = Ending(127, "StartError")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Start:
    """What a container is started with, resolved anew for every start."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path


class Container:
    """Runs until it has ended for good; `view` is how it stands, and *on_change* hears of every change."""

    def __init__(
        self,
        pod: Object,
        spec: Object,
        address: str,
        log: ContainerLog,
        restarts: int,
        on_change: Callable[[], None],
    ) -> None:
        self._pod = pod
        self._spec = spec
        self._address = address
        self.log = log
        self._on_change = on_change
        self._stopping: asyncio.Event = asyncio.Event()
        self._grace = float(pod["spec"].get("terminationGracePeriodSeconds", 30))
        self._process: Process | None = None
        self._out_of_memory = False
        limit = spec.get("resources", {}).get("limits", {}).get("memory")
        self._memory_limit = in_bytes(limit) if limit else None
        self.view = replace(WAITING, restarts=restarts)

    async def run(self, prepare: Callable[[], Start]) -> None:
        """Lives one life after another, each with what *prepare* says; it may raise NotThere."""
        waited = 0.0
        while (start := await self._prepared(prepare)) is not None:
            lived = await self._live(start)
            policy = self._pod["spec"].get("restartPolicy", "Always")
            wait = wait_before_restart(policy, self.view.exit_code, lived, waited)
            if wait is None or self._stopping.is_set():
                return
            waited = wait
            message = f"back-off {waited:g}s restarting failed container {self._spec['name']}"
            self._show(_again(self.view, message))
            await self._pause(waited)

    def stop(self, grace_seconds: float) -> None:
        """Has the running life, if any, ended within *grace_seconds*; no other follows."""
        self._grace = grace_seconds
        self._stopping.set()
        if not grace_seconds and self._process is not None:
            self._process.kill()

    def watch_memory(self, parents: Mapping[int, int]) -> None:
        """Kills the container when it holds more memory than its limit."""
        if self._memory_limit is None or self._process is None:
            return
        if self._process.resident_bytes(parents) > self._memory_limit:
            self._out_of_memory = True
            self._process.kill()

    async def _prepared(self, prepare: Callable[[], Start]) -> Start | None:
        """What the next life starts with, waited for; None when there shall be none."""
        while not self._stopping.is_set():
            try:
                return prepare()
            except NotThere as error:
                self._show(replace(self.view, reason="CreateContainerConfigError", message=str(error)))
            await self._pause(_LOOK_SECONDS)
        return None

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _live(self, start: Start) -> float:
        """One life, from start to end; returns its seconds."""
        begun, started_at = time.monotonic(), _now()
        self._out_of_memory = False
        self.view = replace(self.view, restarts=self.view.restarts + (self.view.last is not None))
        output = self.log.begin()
        try:
            self._process = await Process.start(start.command, start.environment, start.folder, output)
        except OSError as error:
            output.close()
            self._end(_NOT_FOUND, started_at, str(error))
            return 0.0
        running = ContainerView(
            phase="Running",
            started_at=started_at,
            restarts=self.view.restarts,
            runtime_id=f"process://{self._process.pid}",
            last=self.view.last,
        )
        self._show(running)
        code = await self._accompany(self._process)
        self._process = None
        self._end(ending_of(code, out_of_memory=self._out_of_memory), started_at, "")
        return time.monotonic() - begun

    async def _accompany(self, process: Process) -> int:
        """Probes the process and ends it when it has to; returns its return code."""
        ended = asyncio.create_task(process.wait())
        probing = asyncio.create_task(self._probe())
        told = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((ended, probing, told), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await process.end(self._grace)
            return await ended
        finally:
            for task in (ended, probing, told):
                task.cancel()
            await asyncio.gather(probing, told, return_exceptions=True)

    async def _probe(self) -> None:
        """Returns when a probe says that the container must end."""
        startup = self._spec.get("startupProbe")
        if startup and not await ask_until(startup, self._spec, self._address, lambda _: True):
            return
        following = asyncio.create_task(self._follow_readiness())
        try:
            await self._outlive()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _outlive(self) -> None:
        if (liveness := self._spec.get("livenessProbe")) is None:
            await asyncio.Event().wait()
        else:
            await ask_until(liveness, self._spec, self._address, lambda said: not said)

    async def _follow_readiness(self) -> None:
        if (readiness := self._spec.get("readinessProbe")) is None:
            self._set_ready(True)
        else:
            await ask_until(readiness, self._spec, self._address, self._set_ready)

    def _set_ready(self, ready: bool) -> bool:  # noqa: FBT001 - a verdict of a probe
        if self.view.ready != ready:
            self._show(replace(self.view, ready=ready))
        return False

    def _end(self, ending: Ending, started_at: str, message: str) -> None:
        ended = replace(
            self.view,
            phase="Terminated",
            reason=ending.reason,
            message=message,
            exit_code=ending.exit_code,
            ready=False,
            started_at=started_at,
            finished_at=_now(),
        )
        self._show(ended)

    def _show(self, view: ContainerView) -> None:
        self.view = view
        self._on_change()


def _again(ended: ContainerView, message: str) -> ContainerView:
    """A container that waits for its next start."""
    return ContainerView(
        phase="Waiting",
        reason="CrashLoopBackOff",
        message=message,
        restarts=ended.restarts,
        last=replace(ended, last=None),
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
