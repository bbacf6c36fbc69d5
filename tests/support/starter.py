"""Stands for an agent that is about to be killed: `starter.py FOLDER` starts a program that never ends, and waits.

`starter.py FOLDER held` does it while its guard holds all programs.
"""

import asyncio
import sys
from pathlib import Path

from parkade_agent.guard import Holder
from parkade_agent.runtime.brake import SlotBrake
from support.programs import start

if __name__ == "__main__":
    brake = SlotBrake()
    if sys.argv[2:] == ["held"]:
        brake.hold(Holder.GUARD)
    program = start("while True: pass", Path(sys.argv[1]))
    brake.add(program)
    sys.stdout.write(f"{program.pid}\n")
    sys.stdout.flush()
    asyncio.run(program.wait())
