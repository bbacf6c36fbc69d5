"""What a program behind the walls can do, tried from inside: compute, and write where it may."""

import asyncio
import json
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from parkade_agent.runtime.cgroups import slot_cgroup
from parkade_agent.runtime.process import RunningProgram
from parkade_agent.runtime.sandbox.program import Program
from support import programs
from support.programs import sandbox

ESCAPE = Path(programs.__file__).with_name("escape.py")
MEMORY_BYTES = 512 << 20
FEWEST_TRIES = 148


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that listens, and an abstract unix socket named after it."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        number = int(server.getsockname()[1])
        abstract.bind(f"\0parkade-{number}")
        abstract.listen()
        yield number


async def test_no_way_out(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every try is denied, of files, sockets, processes, calls of the kernel, memory, space and rank."""
    canary, work, readable = (tmp_path / name for name in ("outside/canary", "work", "bundle/model"))
    for folder in (canary.parent, work, readable.parent):
        folder.mkdir()
    canary.write_text("outside")
    readable.write_text("model")
    secret = secrets.token_hex()
    monkeypatch.setenv("PARKADE_SECRET", secret)
    arguments = (canary, work, readable, port, secret, MEMORY_BYTES)
    with slot_cgroup(MEMORY_BYTES) as cgroup, (tmp_path / "out").open("w+b") as output:
        program = Program(
            ESCAPE, tuple(map(str, arguments)), work, (readable.parent,), (work,), memory_bytes=MEMORY_BYTES
        )
        assert cgroup is not None
        running = RunningProgram(program, sandbox(), output.fileno(), cgroup.join_files())
        async with asyncio.timeout(60):
            exit_code = await running.wait()
        output.seek(0)
        printed = output.read().decode()
    assert exit_code == 0, printed
    outcomes = json.loads(printed)
    assert len(outcomes) >= FEWEST_TRIES
    assert {name: got for name, got in outcomes.items() if got} == {}
    assert [path.name for path in work.iterdir()] == ["endless"]
