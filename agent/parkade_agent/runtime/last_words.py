"""The last words of a slot's program: one sentence in a file, as Kubernetes' terminationMessagePath has it.

The program writes what it is doing and, at its end, why it ends; the agent reads it when the program is gone. The
file may be anything by then: whoever wrote it ran a stranger's model.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 2048
SERVING: Final = "while serving"
"""The words of a sidecar that has been ready at least once."""


class LastWords:
    """Writes to the file at *path*; without one, nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def say(self, sentence: str) -> None:
        """Replaces what was said before. A disk that takes nothing is no reason to end."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.write_bytes(sentence.encode(errors="replace")[:MOST_BYTES])


def read_last_words(path: Path) -> str:
    """The sentence in one line of printable text; empty when there is none, or no plain file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        is_plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        text = os.read(descriptor, MOST_BYTES).decode(errors="replace") if is_plain else ""
    finally:
        os.close(descriptor)
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
