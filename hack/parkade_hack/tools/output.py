"""What a program prints that is run to its end."""

import subprocess
from pathlib import Path
from typing import Final

from parkade_hack.tools.errors import ToolsError

_SECONDS: Final = 300.0
_KEPT_CHARACTERS: Final = 300


def output_of(*command: str | Path, folder: str | None = None) -> str:
    """What *command* prints, run in *folder*. Raises OSError without such a program, ToolsError when it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolsError(str(error)) from None
    if done.returncode:
        raise ToolsError(f"{Path(command[0]).name}: {done.stderr.strip()[-_KEPT_CHARACTERS:]}")
    return done.stdout
