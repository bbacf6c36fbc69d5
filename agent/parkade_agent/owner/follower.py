"""Follows the owner's files in a thread of its own, so that the guard has the newest word without ever waiting."""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from parkade_agent.owner.files import OwnerFiles, OwnerWord

POLL_SECONDS: Final = 0.05
# What does not show in a file's stamp, such as a journal that can be written again.
_READ_AGAIN_SECONDS: Final = 10.0
_log = structlog.get_logger()


class OwnerFollower:
    """`word` is the owner's newest word, at most a tenth of a second old."""

    def __init__(self, files: OwnerFiles) -> None:
        self._files = files
        self._watched = [str(path) for path in files.folder.watched()]
        self._stamps = self._look()
        self._read_at = time.monotonic()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.word = _read(files.read)

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to follow; *on_change* is called in the follower's thread after `word` has changed."""
        self._thread = threading.Thread(target=self._follow, args=(on_change,), name="owner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self, on_change: Callable[[], None]) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            stamps, now = self._look(), time.monotonic()
            if stamps == self._stamps and now < self._read_at + _READ_AGAIN_SECONDS:
                continue
            self._stamps, self._read_at = stamps, now
            self._hear(lambda: self._files.glance(self.word), on_change)
            self._hear(self._files.read, on_change)

    def _hear(self, read: Callable[[], OwnerWord], on_change: Callable[[], None]) -> None:
        word = _read(read)
        if word != self.word:
            self.word = word
            on_change()
            _log.info(
                "the owner's word", consent=_number(word), paused=word.paused_because, problem=word.problem
            )

    def _look(self) -> list[tuple[int, int, int] | None]:
        """What differs when one of the files does."""
        return [_stamp(path) for path in self._watched]


def _read(read: Callable[[], OwnerWord]) -> OwnerWord:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - whatever it is: a word that cannot be read allows nothing
        _log.exception("the owner's word cannot be read")
        return OwnerWord(problem=f"the owner's files cannot be read: {error!r}")


def _number(word: OwnerWord) -> int | None:
    return word.consent.number if word.consent is not None else None


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)  # noqa: PTH116 - twenty times a second
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
