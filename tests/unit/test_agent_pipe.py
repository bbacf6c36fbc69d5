"""What a program prints is read no faster than a log is worth, and read whole."""

import asyncio
import os
import time

import pytest

from parkade_agent.runtime import pipe
from parkade_agent.runtime.pipe import MOST_PRINTED, Pipe
from parkade_core.logs import STAMP_WIDTH

WINDOW_SECONDS = 1.0
LONGEST_READ = pipe._READ_BYTES * (1 + STAMP_WIDTH)


def kept_bytes(heard: bytes) -> int:
    """What the log of *heard* holds, stamps included."""
    return len(heard) + STAMP_WIDTH * heard.count(b"\n")


@pytest.mark.parametrize("printed", [b"\n" * 65536, b"x" * 65536], ids=["lines", "bytes"])
async def test_a_program_that_floods_its_log_waits(printed: bytes) -> None:
    """Of line feeds alone, too, it prints no more than it may, and all of what it could print is kept."""
    heard = bytearray()
    reader, written = Pipe(heard.extend), 0
    with reader.inlet() as inlet:
        os.set_blocking(inlet, False)
        started = time.monotonic()
        while time.monotonic() < started + WINDOW_SECONDS:
            try:
                written += os.write(inlet, printed)
            except BlockingIOError:
                await asyncio.sleep(0.002)
            await asyncio.sleep(0)
        most = MOST_PRINTED.burst + MOST_PRINTED.rate * (time.monotonic() - started) + LONGEST_READ
        assert kept_bytes(heard) <= most
        assert len(heard) < written
    reader.close()
    assert heard == printed[:1] * written


async def test_a_program_that_prints_little_bits_is_not_asked_for_each() -> None:
    """A read has its price, whatever it finds: who prints letter by letter does not keep the agent reading."""
    reads = list[bytes]()
    reader = Pipe(reads.append)
    with reader.inlet() as inlet:
        started = time.monotonic()
        while time.monotonic() < started + WINDOW_SECONDS:
            os.write(inlet, b"x")
            await asyncio.sleep(0)
        most = (MOST_PRINTED.burst + MOST_PRINTED.rate * (time.monotonic() - started)) / pipe._LEAST_COST + 1
        assert len(reads) <= most
    reader.close()
