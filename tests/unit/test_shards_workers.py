"""Worker processes: none outlives a killed gateway, and a killed worker does not end planning for good."""

import os
import select
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from parkade_operator.shards.workers import WorkerPool

PARENT = """
import os, time
from parkade_operator.shards.workers import WorkerPool
if __name__ == "__main__":
    pool = WorkerPool(1)
    print(pool.submit(os.getpid).result(60), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    """After SIGKILL of the process that started it, a busy worker is gone."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        try:
            assert select.select([worker], [], [], 20)[0], "the worker's end is seen on its descriptor"
        finally:
            os.close(worker)


def test_a_pool_whose_worker_was_killed_starts_anew() -> None:
    """What was running is told so; the next work runs in a fresh worker."""
    pool = WorkerPool(1)
    try:
        with pytest.raises(BrokenProcessPool):
            pool.submit(signal.raise_signal, signal.SIGKILL).result(60)
        assert pool.submit(os.getppid).result(60) == os.getpid()
    finally:
        pool.shutdown()
