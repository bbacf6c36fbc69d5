"""Child processes that never outlive us: stopped by pid in reverse order, killed with their parent."""

import fcntl
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
LOG_TAIL_CHARACTERS = 3000
# Below the kernel's ephemeral range, so that no outgoing connection takes a port between choice and use.
FIRST_PORT, LAST_PORT = 20000, 32000
_reserved: Final = set[int]()


class ProcessError(Exception):
    """A child process is not in the state that it was asked for; the message ends with its last log lines."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: the name by which people know it, its command and its whole environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens now, and which no other call returns while we live."""
    while True:
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        if _is_reserved(port) and _can_be_bound(port):
            return port


def _is_reserved(port: int) -> bool:
    """Whether *port* is now ours until we end: its byte of a file of this user is locked, which ends with us."""
    if port in _reserved:
        return False
    try:
        fcntl.lockf(_ports(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):  # the two that lockf(3) may say for a lock of another process
        return False
    _reserved.add(port)
    return True


@functools.cache
def _ports() -> int:
    # Never closed, nor opened again: a process that closes a file by any descriptor loses its locks on it.
    path = Path(tempfile.gettempdir(), f"parkade-ports-{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def plain_environment() -> dict[str, str]:
    """An environment without credentials or settings: paths, home, locale and where programs are."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "PARKADE_CACHE", "PARKADE_BWRAP")
    return {name: os.environ[name] for name in kept if name in os.environ}


class Supervisor:
    """Starts programs and stops them all, the last one first. Their output goes to files in *logs*."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: Program) -> int:
        """Starts *program* and returns its pid. Raises ProcessError when its name is already running."""
        if self.is_running(program.name):
            raise ProcessError(f"{program.name} is already running")
        if threading.current_thread() is not threading.main_thread():
            # The kernel sends the death signal when the starting *thread* ends, not the process.
            raise ProcessError(f"{program.name} must be started from the main thread")
        with self.log(program.name).open("ab") as log:
            process = subprocess.Popen(
                dying_with_us(program.command),
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone; we stop the others in order
            )
        self._running[program.name] = process
        return process.pid

    def log(self, name: str) -> Path:
        """The file that holds everything *name* printed, over all its starts."""
        return self.logs / f"{name}.log"

    def is_running(self, name: str) -> bool:
        """Whether *name* was started and has not ended."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def pid(self, name: str) -> int:
        """The pid of *name*. Raises ProcessError when it does not run."""
        process = self._running.get(name)
        if process is None or process.poll() is not None:
            raise ProcessError(f"{name} is not running{self.tail(name)}")
        return process.pid

    def tail(self, name: str) -> str:
        """The last words of *name*'s log, ready to end an error message."""
        log = self.log(name)
        words = log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:].strip() if log.exists() else ""
        return f"; last lines of {log}:\n{words}" if words else ""

    def kill(self, name: str) -> None:
        """Kills *name* with SIGKILL and waits for its end."""
        self._end(name, signal.SIGKILL, STOP_SECONDS)

    def stop(self, name: str, seconds: float = STOP_SECONDS) -> int | None:
        """Ends *name* with SIGTERM, after *seconds* with SIGKILL. Its exit code; None if it did not run."""
        return self._end(name, signal.SIGTERM, seconds)

    def wait(self, name: str, seconds: float) -> int:
        """The exit code of *name*, which ends by itself. Raises ProcessError when it has not after *seconds*."""
        process = self._running.get(name)
        if process is None:
            raise ProcessError(f"{name} was not started, or was stopped")
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{name} has not ended after {seconds:.0f} s{self.tail(name)}") from None

    def stop_all(self) -> None:
        """Stops everything, the last started first."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def wait_until(self, name: str, is_ready: Callable[[], bool], seconds: float) -> None:
        """Waits until *is_ready*. Raises ProcessError with the log's end if *name* dies or is late."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if not self.is_running(name):
                raise ProcessError(f"{name} ended early{self.tail(name)}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{name} is not ready after {seconds:.0f} s{self.tail(name)}")
            time.sleep(POLL_SECONDS)

    def _end(self, name: str, how: signal.Signals, seconds: float) -> int | None:
        process = self._running.pop(name, None)
        if process is None:
            return None
        process.send_signal(how)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def accepts_connections(port: int) -> bool:
    """Whether something listens on *port* of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs *module* with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


def dying_with_us(command: Sequence[str]) -> list[str]:
    """*command* as one that the kernel kills when the thread that starts it ends."""
    place = shutil.which("setpriv")
    if place is None:
        raise ProcessError("setpriv is missing: install util-linux")
    return [place, "--pdeathsig", "KILL", "--", *command]
