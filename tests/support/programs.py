"""Programs of a test's own in the sandbox that slots' programs run in."""

import os
from functools import cache
from pathlib import Path

from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox.layers import Layer
from parkade_agent.runtime.sandbox.program import Program
from parkade_agent.runtime.sandbox.walls import Sandbox, find_sandbox
from parkade_hack import proc
from parkade_hack.tools.bubblewrap import ensure_bubblewrap


@cache
def sandbox() -> Sandbox:
    """The sandbox of this machine, whole but for the control group, of which an agent has one."""
    found = find_sandbox(ensure_bubblewrap(), cgroup=None)
    assert set(found.missing) == {Layer.CGROUP_MEMORY}, found.missing
    return found


def program_of(agent: int, name: str) -> int:
    """The pid of an agent's running `sidecar` or `runner`."""
    pid = proc.slot_program(agent, name)
    assert pid is not None, f"agent {agent} runs no {name}"
    return pid


def start(code: str, folder: Path, output: int | None = None) -> RunningProgram:
    """Starts Python *code* at home in *folder*, which it may write; it prints to *output*, or nowhere."""
    script = folder / "program.py"
    script.write_text(code, encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        program = Program(script, (), folder, writable=(folder,))
        return RunningProgram(program, sandbox(), null if output is None else output)
    finally:
        os.close(null)
