"""What a vehicle's journal has of one attempt, read from its file."""

import contextlib
import sqlite3

from parkade_agent.journal.attempts import Fate
from parkade_agent.journal.journal import Journal


def fate_of(journal: Journal, attempt: str) -> Fate | None:
    """Where the attempt stands; None for one that the journal does not know, or no more."""
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        row = connection.execute("SELECT fate FROM attempts WHERE attempt = ?", (attempt,)).fetchone()
    return None if row is None else Fate(row[0])
