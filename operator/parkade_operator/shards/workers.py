"""Worker processes for planning and assembling, so that hashing never delays a vehicle's beat."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, ParamSpec, TypeVar

from typing_extensions import override

_PR_SET_PDEATHSIG: Final = 1

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool(Executor):
    """A pool of processes that is started anew when one of its workers was killed.

    Submit from the main thread: a worker dies with the thread that started it, so that a killed gateway
    leaves none.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool = _start(size)

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run *fn* in a worker. What was running when a worker died raises BrokenProcessPool."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pool = _start(self._size)
            return self._pool.submit(fn, *args, **kwargs)

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop the workers."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def _start(size: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(size, mp_context=context, initializer=_die_with_parent)


def _die_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:
        os._exit(1)
