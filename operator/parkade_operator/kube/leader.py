"""Leads one of several equal processes: it holds a Kubernetes Lease, or ends.

A leader that did not renew for ten seconds must never write again, also when it slept meanwhile (SIGSTOP, a frozen
machine): an interval timer of the kernel runs on while the process is stopped, its signal is pending when the process
wakes, and its handler ends the process before the event loop runs another step. What still may slip through is what
had left the event loop by then: bytes in socket buffers, a create in a thread of the store, a worker process. All of
it is guarded where it lands: API writes by resourceVersion or uid, the commit log by the claim of the next leader.
"""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Final, NoReturn, Protocol, TypeVar

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_core.leadership import (
    DEADLINE_SECONDS,
    LOOK_SECONDS,
    RENEW_SECONDS,
    LeaseView,
    Sighting,
    Standing,
    acquisition,
    is_still_ours,
    lease_view,
    may_take,
    release,
    renewal,
    sight,
    standing,
)
from parkade_operator.kube import metrics
from parkade_operator.kube.client import MERGE, KubeClient, Object
from parkade_operator.kube.errors import Conflict, KubeError, NotFound, Unavailable

EXIT_LOST: Final = 1
_ANSWER_SECONDS = 3.0
_RETRY_SECONDS = 0.5
_T = TypeVar("_T")
_log = structlog.get_logger()


class CandidateSettings(BaseSettings):
    """Where a process stands for election, and by what name; its own settings inherit from these."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    namespace: str = Field(
        default=SYSTEM_NAMESPACE, description="Namespace of the release: Leases, Secrets, pods."
    )
    pod_name: str = Field(default="", description="Name of our pod; empty when this process is none.")
    identity: str = Field(
        default="",
        description="Our name in Leases, of one process at a time; default: the pod's, or host and pid.",
    )

    @property
    def holder(self) -> str:
        """Our name in Leases. A pod's is that of its container before, whose Lease it takes back at once."""
        return self.identity or self.pod_name or f"{socket.gethostname()}-{os.getpid()}"


class Watchman(Protocol):
    """Ends the process when it may not lead any more."""

    def wake_in(self, seconds: float) -> None:
        """The process ends in *seconds*, unless this or `dismiss` is called before."""

    def dismiss(self) -> None:
        """The process does not lead any more, and may live."""

    def end(self, why: str) -> NoReturn:
        """Ends the process now."""


class Alarm:
    """A watchman that is the kernel's interval timer, with SIGALRM; one a process, made in its main thread."""

    def __init__(self, process: str) -> None:
        self._process = process
        signal.signal(signal.SIGALRM, self._ring)

    def wake_in(self, seconds: float) -> None:
        """Sets the timer anew; it counts while the process is stopped, too."""
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))

    def dismiss(self) -> None:
        """Stops the timer."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def end(self, why: str) -> NoReturn:
        """Says why, and ends the process with exit code 1; nothing is flushed, nothing is finished."""
        line = {"process": self._process, "event": "leadership lost", "why": why, "level": "critical"}
        line["timestamp"] = datetime.now(UTC).isoformat()
        try:
            # Not by the logger: the code that was interrupted may hold its lock.
            os.write(2, json.dumps(line).encode() + b"\n")
        finally:
            os._exit(EXIT_LOST)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        self.end(f"the Lease was not renewed for {DEADLINE_SECONDS:.0f} seconds")


class Election:
    """One candidate for the Lease *name*; the processes that stand for it are told apart by *me*."""

    def __init__(
        self,
        client: KubeClient,
        candidate: CandidateSettings,
        name: str,
        watchman: Watchman,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._me = candidate.holder
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{candidate.namespace}/leases/{name}"
        self._watchman = watchman
        self._clock = clock
        self._sighting: Sighting | None = None
        self._held: LeaseView | None = None
        self._gauge = metrics.LEADER.labels(name)
        self._gauge.set(0)

    @property
    def is_leading(self) -> bool:
        """Whether this process leads."""
        return self._held is not None

    @asynccontextmanager
    async def term(self, stopping: asyncio.Event) -> AsyncIterator[bool]:
        """Waits until this process leads (True), or until it is told to stop (False).

        Inside it leads. When the work inside has ended well, others may lead; after an error only the end of the
        process is certain, so they wait for the Lease to expire.
        """
        await self._win(stopping)
        keeping = asyncio.create_task(self._keep())
        yield self.is_leading
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await self._step_down()

    async def _win(self, stopping: asyncio.Event) -> None:
        told: tuple[Standing, str] | None = None
        while self._held is None and not stopping.is_set():
            try:
                how, holder = await self._bid()
                if self._held is None and told != (how, holder):
                    told = (how, holder)
                    _log.info("standing by", lease=self._name, because=how, holder=holder, me=self._me)
            except KubeError as error:
                told = None
                _log.warning("no bid for the Lease", lease=self._name, error=str(error))
            if self._held is None:
                await _pause(stopping, LOOK_SECONDS)

    async def _bid(self) -> tuple[Standing, str]:
        """One look at the Lease, and a try to take it if it may be taken."""
        lease = await self._read()
        now = self._clock()
        self._sighting = sight(self._sighting, lease, now)
        how = standing(self._sighting, self._me, now)
        if lease is not None and may_take(how):
            await self._take(lease, how)
        return how, lease.holder if lease else ""

    async def _take(self, lease: LeaseView, how: Standing) -> None:
        sent_at = self._clock()
        try:
            taken = await self._write(acquisition(lease, self._me, _now_micro()))
        except Conflict:
            return
        if self._clock() - sent_at < DEADLINE_SECONDS:
            self._hold(taken, sent_at)
            _log.info("leading", lease=self._name, because=how, me=self._me, transitions=taken.transitions)

    async def _keep(self) -> None:
        """Renews until cancelled."""
        await asyncio.sleep(RENEW_SECONDS)
        while self._held is not None:
            sent_at, pause = self._clock(), _RETRY_SECONDS
            try:
                self._hold(await self._write(renewal(self._held, _now_micro())), sent_at)
                pause = max(0.0, sent_at + RENEW_SECONDS - self._clock())
            except Conflict:
                await self._look_again(self._held)
            except KubeError as error:
                _log.warning("Lease not renewed", lease=self._name, error=str(error))
            await asyncio.sleep(pause)

    async def _look_again(self, held: LeaseView) -> None:
        """Somebody wrote the Lease: another leader, a person, or we ourselves and the answer was lost."""
        try:
            seen = await self._read()
        except KubeError as error:
            _log.warning("Lease not read", lease=self._name, error=str(error))
            return
        if seen is None or not is_still_ours(held, seen):
            self._watchman.end(f"the Lease {self._name} was taken by {seen.holder if seen else 'nobody'!r}")
        self._held = seen

    async def _step_down(self) -> None:
        held, self._held = self._held, None
        self._gauge.set(0)
        if held is not None:
            try:
                await self._release(held)
            except KubeError as error:
                _log.warning("Lease not released", lease=self._name, error=str(error))
        self._watchman.dismiss()

    async def _release(self, held: LeaseView) -> None:
        try:
            await self._write(release(held, _now_micro()))
        except Conflict:
            # The renewal that was on its way when the term ended may have landed.
            seen = await self._read()
            if seen is not None and is_still_ours(held, seen):
                await self._write(release(seen, _now_micro()))

    def _hold(self, lease: LeaseView, sent_at: float) -> None:
        self._held = lease
        self._gauge.set(1)
        self._watchman.wake_in(sent_at + DEADLINE_SECONDS - self._clock())

    async def _read(self) -> LeaseView | None:
        try:
            return lease_view(await _answered(self._client.get(self._path)))
        except NotFound:
            return None

    async def _write(self, body: Object) -> LeaseView:
        return lease_view(await _answered(self._client.patch(self._path, body, MERGE)))


async def _answered(request: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await request
    except TimeoutError:
        raise Unavailable(0, "NoAnswer", f"no answer in {_ANSWER_SECONDS:.0f} seconds") from None


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _now_micro() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
