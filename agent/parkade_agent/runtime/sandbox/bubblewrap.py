"""bubblewrap (bwrap(1)): user, process, network, mount, IPC and host name spaces of a program's own.

It drops every capability and dies with its parent. It makes no session: the agent has made one for it already, which
has no terminal, so that one signal reaches bubblewrap and the program alike.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

SCRATCH: Final = Path("/tmp")  # noqa: S108 - a file system of the program's own
SCRATCH_BYTES: Final = 16 << 20
SINK: Final = "/dev/null"
SOURCES: Final = ("/dev/zero", "/dev/random", "/dev/urandom")
"""All the devices that a program has: one to write to, and these to read."""

_FIXED: Final = ("--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "vehicle")


def command(bwrap: str, folder: Path, readable: Iterable[Path], writable: Iterable[Path]) -> list[str]:
    """What stands before a program's own command so that it sees nothing but these paths, and works in *folder*."""
    binds = [(path, "--ro-bind-try") for path in readable] + [(path, "--bind-try") for path in writable]
    # What lies in another is mounted after it; of one path, what may write is mounted last.
    binds.sort(key=lambda bind: (bind[0].parts, bind[1] == "--bind-try"))
    return [
        bwrap,
        *_FIXED,
        *("--size", str(SCRATCH_BYTES), "--tmpfs", str(SCRATCH), "--proc", "/proc"),
        *(part for device in (SINK, *SOURCES) for part in ("--dev-bind-try", device, device)),
        *(part for path, how in binds for part in (how, str(path), str(path))),
        *("--remount-ro", "/", "--chdir", str(folder), "--"),
    ]
