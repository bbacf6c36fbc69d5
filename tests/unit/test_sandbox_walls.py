"""Which walls stand: found by trying, each missing one told by its name, the others put up all the same."""

import asyncio
import json
import signal
import stat
import sys
from pathlib import Path

import pytest
import structlog

from parkade_agent.runtime.cgroups import Cgroup
from parkade_agent.runtime.hierarchies import UNIFIED
from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox import program
from parkade_agent.runtime.sandbox.layers import CURES, Layer
from parkade_agent.runtime.sandbox.program import Program, interpreter_files, script_of
from parkade_agent.runtime.sandbox.walls import find_sandbox, report
from parkade_hack.tools.bubblewrap import ensure_bubblewrap
from support.programs import sandbox, start

ASK = """
import json, os, socket
from pathlib import Path
def denied(what, *arguments):
    try:
        what(*arguments)
    except OSError as error:
        return type(error).__name__
print(json.dumps([
    denied(socket.socket, socket.AF_INET),
    denied(os.open, "/etc/passwd", os.O_RDONLY),
    denied(os.mkdir, "/var/tmp/parkade"),
    Path("written").write_text("here"),
    Path("/proc/self/status").read_text().count("CapEff:\\t0000000000000000"),
    Path("/proc/self/status").read_text().count("NoNewPrivs:\\t1"),
]))
"""

READ_ENVIRONMENT = """
import sys
from pathlib import Path
process = Path("/proc") / sys.argv[1]
try:
    got = process.joinpath("environ").read_bytes()
except OSError as error:
    got = type(error).__name__
print(b"keeper.py" in process.joinpath("cmdline").read_bytes(), got)
"""


def test_every_wall_has_a_cure() -> None:
    """Whoever reads that one is missing reads what would put it up."""
    assert set(CURES) == set(Layer)


@pytest.mark.parametrize("words", ["No permissions to create a new namespace", ""])
def test_a_missing_wall_says_why(tmp_path: Path, words: str) -> None:
    """Bubblewrap may be there and unable: what it says is the reason, and the other walls stand."""
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    bwrap.chmod(stat.S_IRWXU)
    found = find_sandbox(bwrap, cgroup=None)
    assert found.missing[Layer.NAMESPACES] == (words or "exit code 1")
    assert found.layers == {Layer.SECCOMP, Layer.LANDLOCK}
    with structlog.testing.capture_logs() as logs:
        report(found.missing, {Layer.NAMESPACES})
    assert {(log["layer"], log["allowed"]) for log in logs} == {
        ("namespaces", True),
        ("cgroup-memory", False),
    }


def test_a_wall_that_lets_no_handle_out_is_none(tmp_path: Path) -> None:
    """It is tried with all that a slot's program does at its start: what fails there would blame good bundles."""
    bwrap = tmp_path / "bwrap"
    closing = (
        "os.closerange(3, 1000); inside = sys.argv[sys.argv.index('--') + 1 :]; os.execv(inside[0], inside)"
    )
    bwrap.write_text(f"#!{sys.executable}\nimport os, sys\n{closing}\n")
    bwrap.chmod(stat.S_IRWXU)
    found = find_sandbox(bwrap, cgroup=None)
    assert "the agent gets no handle on this process" in found.missing[Layer.NAMESPACES]
    assert found.layers == {Layer.SECCOMP, Layer.LANDLOCK}


def test_no_bubblewrap_is_no_wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither named nor on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_sandbox(None, cgroup=None).missing[Layer.NAMESPACES] == "there is no program bwrap"


@pytest.mark.parametrize(("place", "joins"), [("groups", True), ("nothing", False)])
def test_a_group_that_takes_no_program_is_missing(tmp_path: Path, place: str, joins: bool) -> None:  # noqa: FBT001 - a case
    """Each program would end at its start, and good bundles be refused for it: the walls are tried with the group."""
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "cgroup.procs").touch()
    (tmp_path / "groups" / "memory.max").touch()
    cgroup = Cgroup({UNIFIED: tmp_path / place})
    cgroup.limit(1 << 30)
    found = find_sandbox(ensure_bubblewrap(), cgroup)
    assert found.joins == joins
    assert set(found.missing) == (set() if joins else {Layer.CGROUP_MEMORY})
    assert joins or "No such file" in found.missing[Layer.CGROUP_MEMORY]


def test_a_limit_that_the_kernel_refuses_is_none(tmp_path: Path) -> None:
    """That the file is there says nothing."""
    (tmp_path / "memory.max").mkdir()
    cgroup = Cgroup({UNIFIED: tmp_path})
    cgroup.limit(1 << 30)
    assert not cgroup.limits_memory


@pytest.mark.parametrize("without", [set(), {Layer.NAMESPACES}])
async def test_the_other_walls_hold_alone(tmp_path: Path, without: set[Layer]) -> None:
    """A program without name spaces still opens no socket and no file, and has no capability."""
    walls = type(sandbox())(sandbox().layers - without, sandbox().bwrap)
    script, work = tmp_path / "ask.py", tmp_path / "work"
    work.mkdir()
    script.write_text(ASK)
    with (tmp_path / "out").open("w+b") as output:
        running = RunningProgram(Program(script, (), work, writable=(work,)), walls, output.fileno())
        async with asyncio.timeout(30):
            exit_code = await running.wait()
        output.seek(0)
        printed = output.read().decode()
    assert exit_code == 0, printed
    socket_denied, outside, elsewhere, *rest = json.loads(printed)
    assert (socket_denied, *rest) == ("PermissionError", len("here"), 1, 1)
    assert {outside, elsewhere} <= {"PermissionError", "FileNotFoundError"}
    assert (work / "written").read_text() == "here"


async def test_no_program_reads_anothers_secret(tmp_path: Path) -> None:
    """Also where no name space hides one from the other, as runner and sidecar: Landlock lets neither look inside."""
    walls = type(sandbox())(sandbox().layers - {Layer.NAMESPACES}, sandbox().bwrap)
    keeper, asker = tmp_path / "keeper.py", tmp_path / "asker.py"
    keeper.write_text("import os, time; print(os.environ['SECRET'], flush=True); time.sleep(60)")
    asker.write_text(READ_ENVIRONMENT)
    with (tmp_path / "kept").open("w+b") as kept, (tmp_path / "asked").open("w+b") as asked:
        holder = RunningProgram(
            Program(keeper, (), tmp_path, secrets={"SECRET": "known"}), walls, kept.fileno()
        )
        async with asyncio.timeout(30):
            while not (tmp_path / "kept").stat().st_size:  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.02)
            thief = RunningProgram(Program(asker, (str(holder.pid),), tmp_path), walls, asked.fileno())
            await thief.wait()
        holder.signal(signal.SIGKILL)
        await holder.wait()
    assert (tmp_path / "kept").read_text() == "known\n"
    assert (tmp_path / "asked").read_text() == "True PermissionError\n"


async def test_a_program_has_one_folder_to_write(tmp_path: Path) -> None:
    """What it writes there the agent finds; it sees the rest of that place not at all."""
    (tmp_path / "secret").write_text("of the agent")
    work = tmp_path / "work"
    work.mkdir()
    running = start("import os; open('made', 'w'); print(os.stat('../secret'))", work)
    async with asyncio.timeout(30):
        assert await running.wait() == 1
    assert (work / "made").is_file()


def test_scripts_are_found_without_importing_them() -> None:
    """A package runs by its `__main__`; what is no module is refused by its name."""
    assert script_of("parkade_agent.runner").name == "__main__.py"
    assert script_of("parkade_models.signing").name == "signing.py"
    with pytest.raises(ModuleNotFoundError, match=r"parkade_agent\.nothing"):
        script_of("parkade_agent.nothing")


def test_links_to_the_interpreter_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of the way to it lies inside, but none that its environment holds already."""
    real, link, environment = tmp_path / "python3.11", tmp_path / "python3", tmp_path / "venv"
    (environment / "bin").mkdir(parents=True)
    real.touch()
    link.symlink_to(real)
    (environment / "bin" / "python").symlink_to(link)
    monkeypatch.setattr(program.sys, "executable", str(environment / "bin" / "python"))
    monkeypatch.setattr(program.sys, "prefix", str(environment))
    interpreter_files.cache_clear()
    files = interpreter_files()
    interpreter_files.cache_clear()
    assert {real, link, environment} <= set(files)
    assert environment / "bin" / "python" not in files
