"""A guard or a governor that fails takes the slot and the agent with it, also when the brake is what failed."""

import os
import subprocess
import sys

import pytest

FAILING = """
import threading
from parkade_agent.guard import Guard
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.governor import Governor
from parkade_core.vehicle.facts import OwnFacts
from support.facts import RULES

class Broken(SlotBrake):
    def cpu_seconds(self): raise OSError("no clock")
    def kill(self):
        print("killed", flush=True)
        {kill}

class NoSignals:
    def start(self, wake): wake()
    def stop(self): pass
    def readings(self): raise ValueError("no signals")

brake = Broken()
{begin}
threading.Event().wait(60)
"""
GUARD = "guard = Guard(NoSignals(), brake, print, OwnFacts); guard.follow(RULES, ''); guard.start()"
GOVERNOR = "Governor(brake, lambda: 0.1).start()"


@pytest.mark.parametrize(
    "kill", ["pass", "raise PermissionError(1, 'no kill')"], ids=["kills", "cannot kill"]
)
@pytest.mark.parametrize("begin", [GUARD, GOVERNOR], ids=["guard", "governor"])
def test_what_fails_ends_the_agent(begin: str, kill: str) -> None:
    """The slot's processes are killed first; the agent ends with the exit code of a fault even if they cannot be."""
    code = FAILING.format(begin=begin, kill=kill)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == os.EX_SOFTWARE, done.stderr
    assert done.stdout.startswith("killed\n")
