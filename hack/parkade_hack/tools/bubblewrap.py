"""bubblewrap for vehicles of the local cluster: this machine's, or Debian's package unpacked into the cache folder.

Unpacking needs no root and installs nothing.
"""

import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from parkade_hack.tools.errors import ToolsError
from parkade_hack.tools.output import output_of
from parkade_models.cache import cache_folder, file_lock

VARIABLE: Final = "PARKADE_BWRAP"
"""By which agents find it."""

FIRST_FITTING: Final = (0, 7)  # has --size
FIRST_UNKNOWN: Final = (1, 0)


@cache
def ensure_bubblewrap() -> Path:
    """The program bwrap: that of PARKADE_BWRAP, of PATH, or of the cache. Raises ToolsError with the cure."""
    for place in (os.environ.get(VARIABLE), shutil.which("bwrap")):
        if place and fits(Path(place)):
            return Path(place)
    kept = cache_folder() / "bubblewrap" / "bwrap"
    with file_lock(kept.parent.with_suffix(".lock")):
        if not (kept.exists() and fits(kept)):
            _unpack(kept)
    return kept


def fits(program: Path) -> bool:
    """Whether it runs and is of a version whose arguments we know."""
    try:
        said = output_of(program, "--version")
    except (OSError, ToolsError):
        return False
    match = re.search(r"(\d+)\.(\d+)", said)
    return match is not None and FIRST_FITTING <= (int(match[1]), int(match[2])) < FIRST_UNKNOWN


def _unpack(kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        try:
            unsandboxed = ("-o", "APT::Sandbox::User=root")
            output_of("apt-get", "download", "--quiet", *unsandboxed, "bubblewrap", folder=folder)
            (package,) = Path(folder).glob("*.deb")
            output_of("dpkg", "-x", package, folder)
        except (OSError, ValueError, ToolsError) as error:
            raise ToolsError(
                f"no bubblewrap on this machine: install bubblewrap 0.7 or newer ({error})"
            ) from None
        unpacked = Path(folder) / "usr" / "bin" / "bwrap"
        if not fits(unpacked):
            raise ToolsError("Debian's bubblewrap does not run here: install bubblewrap 0.7 or newer")
        unpacked.replace(kept)
