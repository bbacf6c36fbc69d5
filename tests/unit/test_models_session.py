"""The session: runs that can be ended at any moment, and what is known of the ones under way."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parkade_models.errors import BadRecordError, BundleError, StoppedError
from parkade_models.session import Session
from support.shards import rounds, spinning_model

FOREVER = 1 << 60
STARTED_SECONDS = 0.02  # CPU time, which only a run under way uses


@pytest.fixture
def session() -> Session:
    """A session whose runs take as long as they are told."""
    return Session(spinning_model(), "spin.onnx")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that call `run`."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def _spin(session: Session, count: int) -> Any:
    with session.timed():
        return session.run(["sum"], rounds(count))[0]


def _started(session: Session, pool: ThreadPoolExecutor) -> Future[Any]:
    """A run that never ends by itself and is under way."""
    run = pool.submit(_spin, session, FOREVER)
    while session.longest_step() < STARTED_SECONDS:
        assert not run.done()
        time.sleep(0.001)
    return run


def test_a_run_gives_its_tensors(session: Session) -> None:
    """Nothing is stopped: the sum of 0 to 9."""
    assert _spin(session, 10) == 45
    assert session.longest_step() == 0.0


def test_stop_ends_runs_under_way_and_refuses_others(session: Session, pool: ThreadPoolExecutor) -> None:
    """Runs under way and new ones raise StoppedError until `resume`, and then the next run is as good as any."""
    runs = [_started(session, pool), pool.submit(_spin, session, FOREVER)]
    assert session.stop() in {1, 2}
    for run in runs:
        with pytest.raises(StoppedError, match="ask again"):
            run.result(timeout=30)
    with pytest.raises(StoppedError, match="no run may begin"):
        _spin(session, 10)
    assert session.stop() == 0
    session.resume()
    assert _spin(session, 10) == 45


def test_no_run_slips_past_a_stop(session: Session, pool: ThreadPoolExecutor) -> None:
    """Runs that begin in the very moment of a stop end too: none is left behind that nobody ends."""
    for _ in range(100):
        gate = threading.Barrier(3)

        def run(gate: threading.Barrier = gate) -> Any:
            gate.wait()
            return _spin(session, FOREVER)

        runs = [pool.submit(run) for _ in range(2)]
        gate.wait()
        session.stop()
        for each in runs:
            assert isinstance(each.exception(timeout=30), StoppedError)
        session.resume()


def test_longest_step_counts_cpu_time(session: Session, pool: ThreadPoolExecutor) -> None:
    """The longest run's CPU time grows while it runs, and is nothing when it has ended."""
    run = _started(session, pool)
    seen = session.longest_step()
    while session.longest_step() <= seen:
        time.sleep(0.001)
    session.stop()
    assert isinstance(run.exception(timeout=30), StoppedError)
    assert session.longest_step() == 0.0


def test_a_run_ends_a_step(session: Session) -> None:
    """A record of many runs is many steps, and what it needs between them counts by itself."""
    with session.timed():
        while session.longest_step() < STARTED_SECONDS:
            pass
        session.run(["sum"], rounds(10))
        assert session.longest_step() < STARTED_SECONDS
    assert session.longest_step() == 0.0


def test_a_record_that_cannot_be_run_fails_alone(session: Session) -> None:
    """Feeds that the graph does not take are the record's fault; the next run works."""
    with pytest.raises(BadRecordError, match="could not be run"):
        session.run(["sum"], {"rounds": np.zeros(3, np.float32)})
    assert _spin(session, 10) == 45


@pytest.mark.parametrize("model", [b"", b"This is a letter.", spinning_model()[:-9]])
def test_what_is_no_model_is_refused(model: bytes) -> None:
    """Bytes that onnxruntime cannot load are refused under the file's name."""
    with pytest.raises(BundleError, match=r"spin\.onnx cannot be loaded"):
        Session(model, "spin.onnx")


LOADS = """
import sys
from parkade_models.session import Session
Session(sys.stdin.buffer.read(), "spin.onnx")
"""


def test_onnxruntime_tells_nobody(tmp_path: Path) -> None:
    """It would keep a number of this machine in the home folder, for what it tells its maker."""
    environment = {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", LOADS], input=spinning_model(), env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
