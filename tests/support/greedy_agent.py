"""An agent whose sidecar was broken out of: it takes all it can get, and listens to nobody.

Next to nothing may be used beside its lanes, so that it shows on a busy machine, too, by what it is held.
"""

from pathlib import Path
from typing import Final

from parkade_agent.__main__ import main
from parkade_agent.runtime import programs
from parkade_agent.runtime.sandbox.program import Program
from parkade_core.vehicle import throttle

BESIDE_LANES: Final = -0.9
SCRIPT: Final = "greedy.py"


def sidecar(_bundle: Path, work: Path, *_: object) -> Program:
    """Works in a sidecar's place and serves nothing."""
    script = work / SCRIPT
    script.write_text("while True: pass", encoding="utf-8")
    return Program(script, (), work, writable=(work,))


if __name__ == "__main__":
    programs.sidecar = sidecar
    throttle.BESIDE_LANES = BESIDE_LANES  # type: ignore[misc]
    main()
