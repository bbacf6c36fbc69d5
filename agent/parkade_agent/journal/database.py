"""One SQLite file whose every committed transaction outlives a power cut, and a sentence for when it cannot be written.

SQLite's WAL with `synchronous=FULL` syncs the log before a transaction counts (sqlite.org/pragma.html).
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from parkade_agent.errors import JournalBroken

_BUSY_SECONDS: Final = 5.0
_log = structlog.get_logger()


class Database:
    """The file at *path*, made with *schema* when it is new. Any thread may use it, one at a time.

    `trouble` says why the last transaction failed, empty when it did not. A failed one leaves nothing behind, and the
    next one opens the file anew: a disk that has space again needs no restart.
    """

    def __init__(self, path: Path, version: int, schema: str) -> None:
        self._path = path
        self._version = version
        self._schema = schema
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.trouble = ""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is executed in it is on the disk when it ends, all or nothing. Raises JournalBroken."""
        with self._lock:
            try:
                connection = self._open()
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
            except (sqlite3.Error, DecodeError, ValueError, OSError, JournalBroken) as error:
                self._give_up()
                raise self._broken(error) from error
            self.trouble = ""

    def close(self) -> None:
        """Lets the file be; the next transaction opens it again."""
        with self._lock:
            self._give_up()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise JournalBroken(f"its disk allows the journal mode {mode!r} only, not WAL")
        connection.execute("PRAGMA synchronous=FULL")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found == 0:
            connection.executescript(f"BEGIN; {self._schema} PRAGMA user_version={self._version}; COMMIT;")
        elif found != self._version:
            raise JournalBroken(f"it has version {found}, this agent reads version {self._version}")

    def _give_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _broken(self, error: Exception) -> JournalBroken:
        sentence = f"the journal {self._path} cannot be used: {error}"
        if sentence != self.trouble:
            _log.error("the journal is broken", error=sentence)
        self.trouble = sentence
        return JournalBroken(sentence)
