"""The demo's own measurements: they must be able to say no."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from parkade_hack import proc
from parkade_hack.demo.driver_returns import WATCH_SECONDS, reclaim_seconds
from parkade_hack.demo.proof import milliseconds_a_record
from parkade_hack.demo.stage import DemoError
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


def test_the_cost_is_a_mean_over_records() -> None:
    """Every shard counts by its records, whichever vehicle ran it."""
    logs = [
        "shard 1 done: 30 records in 1 s, 2.0 CPU ms a record",
        "shard 2 done: 10 records, 6.0 CPU ms a record",
    ]
    assert milliseconds_a_record(logs) == 3.0


def test_a_cost_that_nobody_logged_fails() -> None:
    """Logs without a finished shard are no proof of anything."""
    with pytest.raises(DemoError, match="no runner"):
        milliseconds_a_record(["runner starts"])
