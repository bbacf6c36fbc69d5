"""No program outlives its agent, whenever the agent is killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parkade_hack import proc
from support import programs

KILLS = 10
DEAD_SECONDS = 1.0
STARTER = Path(programs.__file__).with_name("starter.py")


def _family(folder: Path) -> list[int]:
    """Every process that was started with the folder's name in its command, but this one."""
    return [
        pid
        for pid in proc.parents()
        if pid != os.getpid() and any(str(folder) in part for part in proc.command_line(pid))
    ]


@pytest.mark.parametrize("brake", [(), ("held",)])
def test_a_killed_agent_leaves_nothing(tmp_path: Path, brake: tuple[str, ...]) -> None:
    """Killed while it starts a program, or later: within a second of it nothing is left, not even stopped."""
    environment = os.environ | {"PYTHONPATH": str(STARTER.parents[1])}
    longest = 0.0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = (sys.executable, str(STARTER), str(folder), *brake)
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as starter:
            assert starter.stdout is not None
            starter.stdout.readline()
            time.sleep(number * 0.02)  # other moments of the program's start
            starter.kill()
            alive_at = looked_at = killed_at = time.monotonic()
            starter.wait()
        while any(map(proc.is_alive, _family(folder))):
            alive_at, looked_at = looked_at, time.monotonic()
            assert alive_at - killed_at < 30, "the program lives on"
        longest = max(longest, alive_at - killed_at)
    assert longest < DEAD_SECONDS
