"""The threads that run records: as many as the cores that were lent, and no worker pool behind them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from parkade_agent.sidecar.shard import ShardRun

T = TypeVar("T")

_PROGRESS_SECONDS = 0.5


class Lanes:
    """A fixed number of threads; a shard uses all of them, a plain request one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = ThreadPoolExecutor(max_workers=count, thread_name_prefix="lane")

    async def call(self, work: Callable[[], T]) -> T:
        """The result of *work* on one lane."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def run_shard(self, run: ShardRun) -> AsyncGenerator[int, None]:
        """Runs the shard on every lane and yields the records done so far, twice a second and at the end."""
        loop = asyncio.get_running_loop()
        threads = (loop.run_in_executor(self._threads, run.run_lane) for _ in range(self._count))
        lanes = asyncio.gather(*threads, return_exceptions=True)
        try:
            while not lanes.done():
                await asyncio.wait({lanes}, timeout=_PROGRESS_SECONDS)
                yield run.done
            for failure in filter(None, lanes.result()):
                raise failure
        finally:
            run.cancel()

    def close(self) -> None:
        """Waits for the lanes; terminate the session first to make it short."""
        self._threads.shutdown(wait=True, cancel_futures=True)
