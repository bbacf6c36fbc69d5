"""A program that is asked by lines of JSON and answers in lines of JSON: raw runs and the client are such."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from parkade_bench.errors import BenchError
from parkade_hack.paths import ROOT
from parkade_hack.processes import dying_with_us, plain_environment

_KEPT_CHARACTERS: Final = 1000


class Worker:
    """A worker under way. Raises BenchError when it ends instead of answering; its words go to *log*."""

    def __init__(self, command: tuple[str, ...], log: Path) -> None:
        self._log = log
        pipe = subprocess.PIPE
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                dying_with_us(command), env=environment(), stdin=pipe, stdout=pipe, stderr=errors
            )
        self._answer()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ask(self, **order: Any) -> Mapping[str, Any]:
        """What the worker answers to *order*."""
        orders = _opened(self._process.stdin)
        orders.write(json.dumps(order).encode() + b"\n")
        orders.flush()
        return self._answer()

    def close(self) -> None:
        """Ends the worker by ending its input."""
        self._process.communicate()

    def _answer(self) -> Mapping[str, Any]:
        line = _opened(self._process.stdout).readline()
        if not line:
            words = self._log.read_text(errors="replace").strip()[-_KEPT_CHARACTERS:]
            raise BenchError(f"a worker ended early, its last words: {words}")
        answer: Mapping[str, Any] = json.loads(line)
        return answer


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BenchError("a worker was started without its pipes")
    return pipe


def module(name: str, *arguments: object, python: Path | None = None) -> tuple[str, ...]:
    """The command that runs our module *name*, by our interpreter when no other is named."""
    return (str(python or sys.executable), "-m", f"parkade_bench.{name}", *map(str, arguments))


def environment() -> dict[str, str]:
    """Paths and home, and where the benchmark's modules lie."""
    return plain_environment() | {"PYTHONPATH": str(ROOT / "benchmarks")}
