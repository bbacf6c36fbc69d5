"""A queue of keys to reconcile: a key is worked on by one worker at a time, once for any number of additions."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from parkade_operator.kube import metrics
from parkade_operator.kube.errors import KubeError

_FIRST_RETRY = 0.2
_LONGEST_RETRY = 30.0
_DOUBLINGS = 10
_log = structlog.get_logger()


class WorkQueue:
    """Calls *reconcile* for every added key, from several workers; *name* is its label in the metrics.

    *reconcile* is level-triggered: it reads what is, not what happened. It returns the seconds after which it wants
    to run again, or None. An error is retried with growing patience; one that is no KubeError is a defect of ours,
    logged with its traceback and counted apart.
    """

    def __init__(
        self,
        reconcile: Callable[[str], Awaitable[float | None]],
        workers: int = 8,
        *,
        name: str,
    ) -> None:
        self._reconcile = reconcile
        self._workers = workers
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._active: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._seconds = metrics.RECONCILE_SECONDS.labels(name)
        self._errors = metrics.RECONCILE_ERRORS.labels(name)
        self._defects = metrics.RECONCILE_DEFECTS.labels(name)
        metrics.QUEUE_DEPTH.labels(name).set_function(self._waiting.qsize)

    def add(self, key: str) -> None:
        """Has *key* reconciled soon."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.put_nowait(key)

    def add_after(self, key: str, seconds: float) -> None:
        """Has *key* reconciled in *seconds*, unless something adds it earlier."""
        if key in self._queued or key in self._again:
            return
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def run(self) -> None:
        """Works until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _work(self) -> None:
        while True:
            key = await self._waiting.get()
            self._queued.discard(key)
            self._active.add(key)
            try:
                again = await self._attempt(key)
            finally:
                self._active.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            elif again is not None:
                self.add_after(key, again)

    async def _attempt(self, key: str) -> float | None:
        try:
            with self._seconds.time():
                again: float | None = await self._reconcile(key)
        except KubeError as error:
            self._errors.inc()
            wait = self._wait_of(key)
            _log.warning("reconcile failed", key=key, error=str(error), retry_seconds=wait)
            return wait
        except Exception:  # noqa: BLE001 - whatever it is
            # Ending the process would not cure it: the next one meets the same object, and all other keys would
            # share its crash loop.
            self._defects.inc()
            wait = self._wait_of(key)
            _log.exception("reconcile broken", key=key, retry_seconds=wait)
            return wait
        self._failures.pop(key, None)
        return again

    def _wait_of(self, key: str) -> float:
        """Counts one more failure of *key*; how long it has to wait."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(failures - 1, _DOUBLINGS)))
