"""The journal of one vehicle: notes, the assignments that it obeyed, and what became of each attempt.

Every method is on the disk when it returns, which takes milliseconds: in the event loop, call it by `to_thread`.
Every method may raise JournalBroken; then nothing was written, and `trouble` says why.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.attempts import Attempts
from parkade_agent.journal.database import Database

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE assignments (
  counter INTEGER PRIMARY KEY, pod_uid TEXT NOT NULL, batch_uid TEXT NOT NULL, bundle_digest TEXT NOT NULL,
  obeyed_at REAL NOT NULL
) STRICT;
CREATE TABLE attempts (
  attempt TEXT PRIMARY KEY, pod_uid TEXT NOT NULL, batch_uid TEXT NOT NULL, lease TEXT NOT NULL,
  granted BLOB NOT NULL, outcome BLOB, piece INTEGER, fate TEXT NOT NULL, changed_at REAL NOT NULL
) STRICT;
CREATE INDEX fates ON attempts (fate, changed_at);
"""
_KEPT_ASSIGNMENTS: Final = 1000
LEAST_FREE_BYTES: Final = 32 << 20
"""A few pieces of results, and what SQLite needs beside its file."""


class Journal:
    """The file `path`. `attempts` is its part about shards."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path, _VERSION, _SCHEMA)
        self._no_room = ""
        self.attempts = Attempts(self._database)

    @property
    def trouble(self) -> str:
        """Why the vehicle cannot remember what it must; empty when it can."""
        return self._no_room or self._database.trouble

    def recall(self, name: str) -> str | None:
        """The text that was remembered last under *name*; None when there was none."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT text FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row["text"])

    def remember(self, name: str, text: str) -> None:
        """Keeps *text* under *name*, in place of what was there."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))

    def last_counter(self) -> int:
        """The highest counter of an assignment that was obeyed; 0 before the first."""
        with self._database.transaction() as connection:
            (counter,) = connection.execute("SELECT max(counter) FROM assignments").fetchone()
        return counter or 0

    def obey(self, counter: int, pod_uid: str, batch_uid: str, bundle_digest: str) -> None:
        """Notes an assignment before anything is done about it; its counter must be higher than any before."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO assignments VALUES (?, ?, ?, ?, ?)",
                (counter, pod_uid, batch_uid, bundle_digest, time.time()),
            )
            connection.execute("DELETE FROM assignments WHERE counter <= ?", (counter - _KEPT_ASSIGNMENTS,))

    def look(self) -> None:
        """Finds out whether the disk takes anything, and whether what was in the way is gone; raises nothing."""
        with contextlib.suppress(JournalBroken):
            if self._database.trouble:
                self.remember("last trouble", self._database.trouble)
        self._no_room = _unwritable(self.path.parent)

    def close(self) -> None:
        """Lets the file be."""
        self._database.close()


def _unwritable(folder: Path) -> str:
    """Why the disk of *folder* takes nothing more; empty when it does."""
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        return f"the disk of {folder} cannot be looked at: {error.strerror}"
    if disk.f_flag & os.ST_RDONLY:
        return f"the disk of {folder} is read-only"
    free = disk.f_bavail * disk.f_frsize
    words = f"{free >> 20} MiB are free on the disk of {folder}; {LEAST_FREE_BYTES >> 20} are needed"
    return "" if free >= LEAST_FREE_BYTES else words
