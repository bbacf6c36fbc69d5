"""Child processes: started, stopped in order, and never left behind."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from parkade_hack import proc, processes
from parkade_hack.processes import ProcessError, Program, Supervisor, free_port, plain_environment
from support.controlplane import eventually

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
)
PARENT = """
import sys, time
from pathlib import Path
from parkade_hack.processes import Program, Supervisor
supervisor = Supervisor(Path(sys.argv[1]))
print(supervisor.start(Program("child", (sys.executable, "-c", "import time; time.sleep(600)"), {})), flush=True)
time.sleep(600)
"""
ASKER = """
from parkade_hack import processes
processes.LAST_PORT = processes.FIRST_PORT + 500
print(*{processes.free_port() for _ in range(60)})
"""


def _program(name: str, command: tuple[str, ...] = SLEEPER) -> Program:
    return Program(name, command, plain_environment())


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    """SIGKILL of the parent ends its children, though nobody is left to stop them."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        # Before the child is what it shall be, the kernel has not been asked yet.
        eventually(lambda: "time.sleep(600)" in " ".join(proc.command_line(child)[:3]), 10, "the child runs")
        parent.kill()
        eventually(lambda: not proc.is_alive(child), 10, "the child has ended")


def test_everything_is_stopped_in_reverse_order(tmp_path: Path) -> None:
    """The last started is the first stopped, and nothing runs afterwards."""
    supervisor = Supervisor(tmp_path)
    pids = [supervisor.start(_program(name)) for name in ("first", "second")]
    supervisor.stop_all()
    assert not any(proc.is_alive(pid) for pid in pids)
    assert not supervisor.is_running("first")


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """A stop has a bound: after it comes SIGKILL."""
    supervisor = Supervisor(tmp_path)
    supervisor.start(_program("stubborn", STUBBORN))
    supervisor.wait_until("stubborn", lambda: "up" in supervisor.log("stubborn").read_text(), 10)
    assert supervisor.stop("stubborn", seconds=0.2) == -signal.SIGKILL


def test_an_early_end_is_told_with_the_log(tmp_path: Path) -> None:
    """Whoever waits for a program that dies reads why it died."""
    supervisor = Supervisor(tmp_path)
    supervisor.start(_program("broken", (sys.executable, "-c", "raise SystemExit('no such port')")))
    with pytest.raises(ProcessError, match=r"(?s)broken ended early.*no such port"):
        supervisor.wait_until("broken", lambda: False, 10)


def test_a_name_runs_once(tmp_path: Path) -> None:
    """Starting a name that runs is refused."""
    supervisor = Supervisor(tmp_path)
    supervisor.start(_program("only"))
    with pytest.raises(ProcessError, match="already running"):
        supervisor.start(_program("only"))
    supervisor.kill("only")


def test_threads_may_not_start_processes(tmp_path: Path) -> None:
    """A child would die with its thread, so only the main thread may start one."""
    supervisor = Supervisor(tmp_path)
    refusals: list[ProcessError] = []

    def start() -> None:
        try:
            supervisor.start(_program("child"))
        except ProcessError as error:
            refusals.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(refusals[0])


def test_free_ports_are_below_the_ephemeral_range() -> None:
    """No outgoing connection of anybody can take the port before its server does."""
    assert all(20000 <= free_port() < 32000 for _ in range(20))


def test_no_two_calls_get_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a few hundred ports this process and another one get different ones, although nobody listens yet."""
    monkeypatch.setattr(processes, "LAST_PORT", processes.FIRST_PORT + 500)
    ours = {free_port() for _ in range(60)}
    done = subprocess.run([sys.executable, "-c", ASKER], capture_output=True, text=True, check=True)
    theirs = set(map(int, done.stdout.split()))
    assert (len(ours), len(theirs), ours & theirs) == (60, 60, set())


def test_cpu_time_is_read_from_the_kernel() -> None:
    """A busy process has spent CPU time, an ended one counts as none."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    eventually(lambda: proc.cpu_nanoseconds(busy.pid) > 10_000_000, 10, "10 ms of CPU are counted")
    busy.kill()
    busy.wait()
    assert proc.cpu_nanoseconds(busy.pid) == 0
