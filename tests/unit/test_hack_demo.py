"""The demo's own measurements: they must be able to say no."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from parkade_hack import proc
from parkade_hack.demo.driver_returns import WATCH_SECONDS, reclaim_seconds
from support.controlplane import eventually


@pytest.fixture
def busy() -> Iterator[int]:
    """The pid of a process that computes without end."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    eventually(lambda: proc.cpu_nanoseconds(process.pid) > 0, 10, "it computes")
    yield process.pid
    process.kill()
    process.wait()


def test_a_frozen_process_counts_as_reclaimed(busy: int) -> None:
    """When the process is stopped at once, its CPU clock stops at once."""
    assert reclaim_seconds(busy, lambda: os.kill(busy, signal.SIGSTOP)) < WATCH_SECONDS / 3


def test_a_process_that_goes_on_is_not_reclaimed(busy: int) -> None:
    """When nothing stops the process, the measured time is all the time that was watched."""
    assert reclaim_seconds(busy, lambda: None) > WATCH_SECONDS / 2
