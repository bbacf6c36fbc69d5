"""Builds the missing programs one after another, niced, each put in place by one atomic rename."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from parkade_hack.tools.catalogue import Module, Tool
from parkade_hack.tools.errors import ToolsError
from parkade_hack.tools.estimate import in_words, seconds_left
from parkade_hack.tools.progress import ProgressLine

NICENESS = 10
POLL_SECONDS = 0.5
KEPT_OUTPUT_CHARACTERS = 4000


def build_missing(module: Module, wanted: Sequence[Tool], folder: Path, go: str) -> None:
    """Builds what *folder* lacks of *wanted*, from *module*.

    Raises ToolsError with the compiler's words when a build fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    line = ProgressLine()
    with _only_builder(module, folder, line):
        missing = [tool for tool in wanted if not (folder / tool.name).exists()]
        done: list[tuple[Tool, float]] = []
        for tool in missing:
            begun = time.monotonic()
            _build(module, tool, missing, folder, go, done, line)
            done.append((tool, time.monotonic() - begun))
        if done:
            line.end(f"{module.title} built in {sum(seconds for _, seconds in done):.0f} s")


@contextmanager
def _only_builder(module: Module, folder: Path, line: ProgressLine) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            line.end(f"another process builds {module.title}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(
    module: Module,
    tool: Tool,
    missing: Sequence[Tool],
    folder: Path,
    go: str,
    done: list[tuple[Tool, float]],
    line: ProgressLine,
) -> None:
    target = folder / tool.name
    unfinished = folder / f".{tool.name}.unfinished"
    unfinished.unlink(missing_ok=True)
    log = folder / f".{tool.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(module, tool, unfinished, go),
            cwd=module.folder,
            env=os.environ | {"GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, module, tool, missing, done, line)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        words = log.read_text(errors="replace")[-KEPT_OUTPUT_CHARACTERS:]
        raise ToolsError(f"go could not build {tool.name} (exit {process.returncode}):\n{words}")
    unfinished.rename(target)
    log.unlink()


def _command(module: Module, tool: Tool, target: Path, go: str) -> list[str]:
    dies_with_us = [shutil.which("setpriv") or "setpriv", "--pdeathsig", "KILL", "--"]
    niced = [shutil.which("nice") or "nice", "-n", str(NICENESS)]
    flags = ["-trimpath", "-tags", module.tags, "-ldflags", module.ldflags]
    return [*dies_with_us, *niced, go, "build", *flags, "-o", str(target), tool.package]


def _wait(
    process: subprocess.Popen[bytes],
    module: Module,
    tool: Tool,
    missing: Sequence[Tool],
    done: list[tuple[Tool, float]],
    line: ProgressLine,
) -> None:
    begun = time.monotonic()
    position = missing.index(tool)
    step = f"building {module.title}, once: {position + 1} of {len(missing)} {tool.name}"
    while process.poll() is None:
        now = time.monotonic()
        left = seconds_left(done, tool, now - begun, missing[position + 1 :])
        line.show(step, in_words(left), now)
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
