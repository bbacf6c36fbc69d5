"""Follows the owner's files in threads of its own, so that the guard has the newest word without ever waiting."""

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from parkade_agent.owner.files import OwnerFiles, OwnerWord

POLL_SECONDS: Final = 0.08
# What does not show in a file's stamp, such as a journal that can be written again.
_READ_AGAIN_SECONDS: Final = 10.0
_log = structlog.get_logger()


class OwnerFollower:
    """`word` is the owner's newest word: what stops work at most a tenth of a second old, whatever the disk does.

    `folder` is the path of the owner's folder, without links, as it was at the start.

    One thread looks at the files and asks no journal, another reads what the journal must confirm.
    """

    def __init__(self, files: OwnerFiles) -> None:
        self._files = files
        self.folder = str(files.folder.root.resolve())
        self._watched = [str(path) for path in files.folder.watched()]
        self._stamps = self._look()
        self._stopped = threading.Event()
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.word = _read(files.read)

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to follow; *on_change* is called in a thread of the follower's after `word` has changed."""
        for target, name in ((self._follow, "owner"), (self._confirm, "owner-journal")):
            self._threads.append(threading.Thread(target=target, args=(on_change,), name=name, daemon=True))
            self._threads[-1].start()

    def read_again(self) -> None:
        """Reads the word anew, because what it is held against has changed: the vehicle has another name."""
        self._changed.set()

    def stop(self) -> None:
        """Ends the threads."""
        self._stopped.set()
        self._changed.set()
        for thread in self._threads:
            thread.join()

    def _follow(self, on_change: Callable[[], None]) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            stamps = self._look()
            if stamps != self._stamps:
                self._stamps = stamps
                self._hear(lambda: self._files.glance(self.word), on_change)
                self._changed.set()

    def _confirm(self, on_change: Callable[[], None]) -> None:
        while True:
            self._changed.wait(_READ_AGAIN_SECONDS)
            if self._stopped.is_set():
                return
            self._changed.clear()
            try:
                word = self._files.read()
            except Exception as error:  # noqa: BLE001 - whatever it is, see _unread
                self._hear(partial(_unread, error), on_change)
            else:
                # The journal may have taken long: what the files say of stopping is looked at once more.
                self._hear(partial(self._files.glance, word), on_change)

    def _hear(self, read: Callable[[], OwnerWord], on_change: Callable[[], None]) -> None:
        with self._lock:
            word = _read(read)
            if word == self.word:
                return
            self.word = word
        on_change()
        _log.info("the owner's word", consent=_number(word), paused=word.paused_because, problem=word.problem)

    def _look(self) -> list[tuple[int, int, int] | None]:
        """What differs when one of the files does."""
        return [_stamp(path) for path in self._watched]


def _read(read: Callable[[], OwnerWord]) -> OwnerWord:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - whatever it is, see _unread
        return _unread(error)


def _unread(error: Exception) -> OwnerWord:
    """A word that cannot be read allows nothing."""
    _log.error("the owner's word cannot be read", exc_info=error)
    return OwnerWord(problem=f"the owner's files cannot be read: {error!r}")


def _number(word: OwnerWord) -> int | None:
    return word.consent.number if word.consent is not None else None


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)  # noqa: PTH116 - many times a second
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
