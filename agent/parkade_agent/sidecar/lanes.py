"""The lanes: threads that run the model, as many as the cores that were lent, and the only concurrency there is.

A free lane takes the plain call that has waited longest, or else the next record of the shard under way. So no
plain call waits for a shard, and lanes can be changed at any time.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from parkade_agent.sidecar.errors import TooManyCallsError
from parkade_agent.sidecar.shard import ShardRun
from parkade_models.errors import StoppedError
from parkade_models.session import Session

T = TypeVar("T")
_Job = Callable[[], None]

MOST_WAITING: Final = 256
"""Plain calls that may wait for a lane. Each holds its message; gRPC's own limit would refuse the owner's stop, too."""

_PROGRESS_SECONDS: Final = 0.5
_NO_LANES: Final = "the owner has the cores; ask again"
_CLOSED: Final = "the sidecar stops; ask the next one"


@dataclass(frozen=True, slots=True)
class LanesChange:
    """What `Lanes.set` did: lanes as they were set before and are set now, and runs that were told to end."""

    before: int
    now: int
    runs_ended: int


@dataclass(eq=False, slots=True)
class _Call:
    """A plain call that waits for a lane."""

    work: Callable[[], Any]
    answer: Future[Any] = field(default_factory=Future)

    def run(self) -> None:
        """Answers, unless the caller has left."""
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            self.answer.set_result(self.work())
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self.answer.set_exception(error)

    def refuse(self) -> None:
        """Answers that there is no lane."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(StoppedError(_NO_LANES))


@dataclass(eq=False, slots=True)
class _Shard:
    """The shard under way; guarded by the lock of the lanes."""

    run: ShardRun
    in_hand: int = 0
    failure: BaseException | None = None
    is_ended: bool = False
    over: Future[None] = field(default_factory=Future)
    """Done when no lane has a record of it in hand and none will take another."""

    def take(self) -> int | None:
        """The next record for a lane."""
        start = None if self.is_ended else self.run.take()
        self.in_hand += start is not None
        return start

    def put(self, start: int, failure: BaseException | None) -> None:
        """A lane is done with the record at *start*: it has its line, or it was stopped, or the shard fails."""
        self.in_hand -= 1
        if isinstance(failure, StoppedError):
            self.run.give_back(start)
        elif failure is not None:
            self.end(failure)
        self.look()

    def end(self, failure: BaseException | None = None) -> None:
        """Lets lanes take no further record; the first failure stands."""
        self.is_ended = True
        self.failure = self.failure or failure
        self.look()

    def look(self) -> None:
        """Notices that it is over."""
        if not self.in_hand and (self.is_ended or not self.run.has_more) and not self.over.done():
            self.over.set_result(None)


class Lanes:
    """Serves calls and one shard at a time, until `close`. The session is stopped while there is no lane."""

    def __init__(self, session: Session, count: int) -> None:
        self._session = session
        self._changed = threading.Condition()  # guards all that follows
        self._count = count
        self._running = 0
        self._calls = deque[_Call]()
        self._shard: _Shard | None = None
        self._settling: list[Future[None]] = []
        with self._changed:
            self._start_missing()

    @property
    def count(self) -> int:
        """Lanes as they are set; 0 while the owner has the cores."""
        return self._count

    async def set(self, count: int) -> LanesChange:
        """Changes how many lanes run and returns when no more than that do.

        A lane too many ends its record first. With 0 every run under way is ended at once, waiting calls raise
        StoppedError as new ones do, and a shard under way waits until lanes return.
        """
        with self._changed:
            before, self._count = self._count, count
            ended = 0 if count else self._stop()
            if count:
                self._session.resume()
                self._start_missing()
            self._changed.notify_all()
            settled = Future[None]()
            self._settling.append(settled)
            self._settle()
        await asyncio.wrap_future(settled)
        return LanesChange(before, self._count, ended)

    async def call(self, work: Callable[[], T]) -> T:
        """The result of *work* on the next free lane. Raises StoppedError while there are none, TooManyCallsError."""
        call = _Call(partial(self._timed, work))
        with self._changed:
            if not self._count:
                raise StoppedError(_NO_LANES)
            if len(self._calls) >= MOST_WAITING:
                raise TooManyCallsError(f"{MOST_WAITING} calls wait for a lane; ask again")
            self._calls.append(call)
            self._changed.notify()
        try:
            result: T = await asyncio.wrap_future(call.answer)
        except asyncio.CancelledError:
            with self._changed, suppress(ValueError):  # it may be in a lane already
                self._calls.remove(call)
            raise
        return result

    async def run_shard(self, run: ShardRun) -> AsyncGenerator[int, None]:
        """Runs the shard on every lane that is free and yields the records done so far, at once and twice a second.

        Raises what a record raised; StoppedError only when the lanes are closed. Left early, it returns when no
        lane has a record of it in hand.
        """
        shard = _Shard(run)
        with self._changed:
            self._shard = shard
            shard.look()
            self._changed.notify_all()
        over = asyncio.wrap_future(shard.over)
        try:
            while not over.done():
                yield run.done
                await asyncio.wait({over}, timeout=_PROGRESS_SECONDS)
        finally:
            with self._changed:
                self._shard = None
                shard.end()
            await asyncio.wait({over})
        if shard.failure is not None:
            raise shard.failure

    async def close(self) -> None:
        """Ends every lane at once; calls and a shard under way raise StoppedError."""
        with self._changed:
            if self._shard is not None:
                self._shard.end(StoppedError(_CLOSED))
        await self.set(0)

    def _start_missing(self) -> None:
        while self._running < self._count:
            threading.Thread(target=self._lane, name="lane", daemon=True).start()
            self._running += 1

    def _stop(self) -> int:
        while self._calls:
            self._calls.popleft().refuse()
        return self._session.stop()

    def _settle(self) -> None:
        if self._running <= self._count:
            for settled in self._settling:
                if settled.set_running_or_notify_cancel():
                    settled.set_result(None)
            self._settling.clear()

    def _lane(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Waits for work and does it; False ends the lane."""
        with self._changed:
            while (job := self._take()) is None and self._running <= self._count:
                self._changed.wait()
            if job is None:
                self._running -= 1
                self._settle()
                return False
        job()
        return True

    def _take(self) -> _Job | None:
        if self._running > self._count:
            return None
        if self._calls:
            return self._calls.popleft().run
        if self._shard is not None and (start := self._shard.take()) is not None:
            return partial(self._run_record, self._shard, start)
        return None

    def _timed(self, work: Callable[[], T]) -> T:
        with self._session.timed():
            return work()

    def _run_record(self, shard: _Shard, start: int) -> None:
        failure: BaseException | None = None
        try:
            self._timed(partial(shard.run.run, start))
        except BaseException as error:  # noqa: BLE001 - a panic of Rust is one; whoever runs the shard gets it
            failure = error
        with self._changed:
            shard.put(start, failure)
            if failure is not None:
                self._changed.notify()  # what was given back is for a lane that may be waiting
