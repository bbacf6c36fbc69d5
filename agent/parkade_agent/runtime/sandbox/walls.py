"""The sandbox of this machine: which walls stand, tried by really running a program behind them, and its command."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from parkade_agent.runtime.cgroups import Cgroup
from parkade_agent.runtime.sandbox import bubblewrap
from parkade_agent.runtime.sandbox.layers import CURES, Layer
from parkade_agent.runtime.sandbox.program import Program, interpreter_files, script_of

_TRIED: Final = (Layer.NAMESPACES, Layer.SECCOMP, Layer.LANDLOCK)
_LAUNCH: Final = ("-m", "parkade_agent.runtime.launch")
_SYSTEM: Final = ("/proc", *bubblewrap.SOURCES)
_MOST_THREADS: Final = 512
_TRIAL_SECONDS: Final = 60.0
_KEPT_CHARACTERS: Final = 300
_NO_MEMORY_LIMIT: Final = "no control group limits what the programs take together"
_NO_BWRAP: Final = "there is no program bwrap"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The walls that stand, *bwrap* for that of name spaces, and why each of the others does not.

    `joins` is whether programs behind them get into the control group that there is.
    """

    layers: frozenset[Layer]
    bwrap: str = ""
    missing: Mapping[Layer, str] = field(default_factory=dict)
    joins: bool = True

    def command(self, program: Program, lifeline: int = -1, joined: Sequence[int] = ()) -> list[str]:
        """The command that runs *program* behind the walls.

        It says over the socket *lifeline* which process it is and takes the lowest rank; without one it does neither.
        It puts itself into the control groups whose open files are *joined*.
        """
        readable = [*interpreter_files(), program.script, program.folder, *program.readable]
        writable = list(program.writable)
        before: list[str] = []
        if Layer.NAMESPACES in self.layers:
            before = bubblewrap.command(self.bwrap, program.folder, readable, writable)
            writable.append(bubblewrap.SCRATCH)
        start = {
            "lifeline": lifeline,
            "joined": list(joined),
            "memory_bytes": program.memory_bytes,
            "cpu_seconds": program.cpu_seconds,
            # Outside of a name space of users the kernel would count all that the agent's user runs.
            "threads": _MOST_THREADS if Layer.NAMESPACES in self.layers else 0,
            "seccomp": Layer.SECCOMP in self.layers,
            "landlock": Layer.LANDLOCK in self.layers,
            "readable": [*map(str, readable), *_SYSTEM],
            "writable": [*map(str, writable), bubblewrap.SINK],
        }
        interpreter = [sys.executable, *_LAUNCH, json.dumps(start)]
        return [*before, *interpreter, str(program.script), *program.arguments]

    def start(
        self, program: Program, output: int, lifeline: socket.socket, join: Iterable[Path] = ()
    ) -> "subprocess.Popen[bytes]":
        """Starts *program* as the leader of a session, in the control groups of the files *join*. Raises OSError.

        It prints to the descriptor *output*.
        """
        with contextlib.ExitStack() as files:
            joined = [files.enter_context(path.open("wb", buffering=0)).fileno() for path in join]
            return subprocess.Popen(
                self.command(program, lifeline.fileno(), joined),
                cwd=program.folder,
                env=program.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(lifeline.fileno(), *joined),
            )


def find_sandbox(bwrap: Path | None, cgroup: Cgroup | None) -> Sandbox:
    """The sandbox of this machine; *bwrap* is bubblewrap, by default that of PATH, *cgroup* what programs join.

    All walls are tried together; only when something is wrong each is tried alone.
    """
    place = str(bwrap or shutil.which("bwrap") or "")
    join = cgroup.join_files() if cgroup is not None else []
    if place and not _trial(Sandbox(frozenset(_TRIED), place), join):
        missing, unjoined = dict[Layer, str](), ""
    else:
        missing = {layer: why for layer in _TRIED if (why := _why_missing(layer, place))}
        unjoined = _trial(Sandbox(frozenset(_TRIED) - set(missing), place), join) if join else ""
    if unjoined:
        missing[Layer.CGROUP_MEMORY] = unjoined
    elif cgroup is None or not cgroup.limits_memory:
        missing[Layer.CGROUP_MEMORY] = _NO_MEMORY_LIMIT
    return Sandbox(frozenset(Layer) - set(missing), place, missing, joins=not unjoined)


def report(missing: Mapping[Layer, str], allowed: Collection[Layer]) -> None:
    """Says in the log which walls are missing, what would put each up, and whether work goes on without it."""
    for layer, why in missing.items():
        _log.warning(
            "a wall of the sandbox is missing",
            layer=layer,
            why=why,
            cure=CURES[layer],
            allowed=layer in allowed,
        )


def _why_missing(layer: Layer, bwrap: str) -> str:
    if layer is Layer.NAMESPACES and not bwrap:
        return _NO_BWRAP
    return _trial(Sandbox(frozenset({layer}), bwrap))


def _trial(sandbox: Sandbox, join: Iterable[Path] = ()) -> str:
    """Why no program can work behind the walls, or in the control groups of the files *join*; empty when one can.

    It is started as the slot's are: it hands out its pidfd, takes the lowest rank, joins, and closes the walls.
    """
    script = script_of("parkade_agent.runtime.sandbox.trial")
    program = Program(script, tuple(sorted(sandbox.layers)), script.parent)
    lifeline, told = socket.socketpair()
    with lifeline, told, tempfile.TemporaryFile() as output:
        try:
            exit_code = _end_of(sandbox.start(program, output.fileno(), told, join))
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        output.seek(0)
        words = output.read().decode(errors="replace").strip()[-_KEPT_CHARACTERS:]
    return "" if exit_code == 0 else words or f"exit code {exit_code}"


def _end_of(process: "subprocess.Popen[bytes]") -> int:
    """The exit code of a trial. Raises TimeoutExpired, once it is killed, when it takes too long."""
    try:
        return process.wait(_TRIAL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
