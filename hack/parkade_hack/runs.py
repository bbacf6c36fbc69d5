"""Run folders: one for each purpose, emptied at the start, with one user at a time."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parkade_hack.paths import RUNS


class RunBusy(Exception):
    """Somebody else uses this run folder; the message says who."""


@contextmanager
def run_folder(name: str) -> Iterator[Path]:
    """The emptied folder `.run/<name>`, kept afterwards for people to look into. Raises RunBusy."""
    RUNS.mkdir(exist_ok=True)
    with (RUNS / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunBusy(f"another {name} runs in this folder; stop it first") from None
        folder = RUNS / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
