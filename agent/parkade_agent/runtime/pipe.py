"""The pipe that a program of a slot prints into, read no faster than a log is worth.

What the agent does with a line is done outside the slot's limits, and beside the guard. So a program that prints more
than it may waits in its own write until its words were read; nothing is lost of it.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from parkade_core.bucket import Bucket, Limit, take
from parkade_core.logs import STAMP_WIDTH

MOST_PRINTED: Final = Limit(rate=256 * 1024, burst=1 << 20)
"""Bytes of one program's log, each line with its stamp: a second, and at once."""

_READ_BYTES: Final = 8 * 1024
"""Little enough that a read of nothing but line feeds keeps the event loop for some milliseconds."""

_LEAST_COST: Final = 4 * 1024  # of a read: few bytes are as dear to find as many
_LAST_READS: Final = 16
"""Of a program that has ended: twice what a pipe holds, unless the program made it larger."""


class Pipe:
    """Gives *heard* what a program prints, in the event loop, until `close`."""

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._outlet: int | None = None
        self._bucket: Bucket | None = None
        self._cost = 0
        self._pause: asyncio.TimerHandle | None = None

    @contextmanager
    def inlet(self) -> Iterator[int]:
        """The descriptor that a program is started with; this process's own copy is closed at the end."""
        self._outlet, inlet = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._outlet, False)
        asyncio.get_running_loop().add_reader(self._outlet, self._look)
        try:
            yield inlet
        finally:
            os.close(inlet)

    def close(self) -> None:
        """The program has ended: takes what it left in the pipe, and waits for nobody who still holds it."""
        for _ in range(_LAST_READS):
            if not self._read():
                break
        self._disconnect()

    def _look(self) -> None:
        self._read()
        self._pay()

    def _read(self) -> bool:
        """Takes some of what is in the pipe; false when nothing is."""
        try:
            data = os.read(self._outlet, _READ_BYTES) if self._outlet is not None else b""
        except BlockingIOError:
            return False
        self._cost = max(_LEAST_COST, len(data) + STAMP_WIDTH * data.count(b"\n"))
        if data:
            self._heard(data)
        else:
            self._disconnect()
        return bool(data)

    def _pay(self) -> None:
        """Looks on at once, or when the last read is paid for."""
        if self._outlet is None:
            return
        loop = asyncio.get_running_loop()
        taken = take(self._bucket, MOST_PRINTED, loop.time(), self._cost)
        self._bucket = taken.bucket
        if taken.granted:
            loop.add_reader(self._outlet, self._look)
        else:
            loop.remove_reader(self._outlet)
            self._pause = loop.call_later(taken.wait_seconds, self._pay)

    def _disconnect(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        if self._outlet is not None:
            asyncio.get_running_loop().remove_reader(self._outlet)
            os.close(self._outlet)
            self._outlet = None
