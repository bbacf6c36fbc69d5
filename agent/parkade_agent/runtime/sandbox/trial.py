"""Run behind the walls named on its command line: tries each once, and ends with the names of those that let it by."""

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final


def _sees_the_machine() -> bool:
    return Path("/etc/passwd").exists()


def _makes_an_internet_socket() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET):
        return True
    return False


def _writes_into_proc() -> bool:
    with suppress(OSError), Path("/proc/self/comm").open("w", encoding="ascii"):
        return True
    return False


_BREACHES: Final[dict[str, Callable[[], bool]]] = {
    "namespaces": _sees_the_machine,
    "seccomp": _makes_an_internet_socket,
    "landlock": _writes_into_proc,
}

if __name__ == "__main__":
    breached = [name for name in sys.argv[1:] if _BREACHES[name]()]
    sys.exit(f"does not hold: {', '.join(breached)}" if breached else 0)
