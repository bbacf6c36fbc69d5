"""Whether the agent of a vehicle runs: it holds the kernel's lock on a file of its state folder while it lives."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from parkade_agent.errors import AgentError

_NAME: Final = "agent.lock"
_PATIENCE_SECONDS: Final = 5.0  # the kernel frees the lock of an agent that was killed as soon as it is gone
_LOOK_SECONDS: Final = 0.05


class AlreadyRunning(AgentError):
    """Another process works on this state folder."""


@contextlib.contextmanager
def claimed(state_dir: Path, patience: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Is the only one on *state_dir* meanwhile. Raises AlreadyRunning after *patience* seconds, OSError."""
    state_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state_dir / _NAME, os.O_RDONLY | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, state_dir, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def is_running(state_dir: Path) -> bool:
    """Whether somebody works on *state_dir* now. Looking keeps nobody from starting for longer than a moment."""
    try:
        descriptor = os.open(state_dir / _NAME, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int, state_dir: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise AlreadyRunning(f"another agent works on {state_dir}") from None
            time.sleep(_LOOK_SECONDS)
        else:
            return
