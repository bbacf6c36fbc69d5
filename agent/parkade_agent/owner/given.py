"""Which files the owner gave, and which folder is the owner's: one whose disk is not mounted is missed, not obeyed."""

import contextlib
from pathlib import Path
from secrets import token_hex
from typing import Final

from parkade_agent import durable
from parkade_agent.errors import JournalBroken
from parkade_agent.journal.memory import Memory

_FILES: Final = "owner.files"  # in the journal, as the next one
_MARK: Final = "owner.mark"
_TOKEN_BYTES: Final = 16


class Given:
    """Knows from *memory* which of the files *kept* were there, and what the agent wrote into its own file *mark*.

    That is a random word: a mark that was left under the mount point before the disk was mounted is another one. An
    empty mark is the owner's word that this is the folder, and gets a new one.
    """

    def __init__(self, mark: Path, kept: tuple[Path, ...], memory: Memory) -> None:
        self._mark = mark
        self._kept = kept
        self._memory = memory
        self._names: frozenset[str] = frozenset()
        self._token = ""  # of the mark, as the journal has it
        self._next_token = token_hex(_TOKEN_BYTES)

    def note(self) -> None:
        """Learns what the journal knows and notes what is new; a broken journal is asked again at the next call."""
        with contextlib.suppress(JournalBroken):
            names = self._names = frozenset((self._memory.recall(_FILES) or "").split())
            self._token = self._memory.recall(_MARK) or ""
            if self.gone() or not self._mark.parent.is_dir():
                return
            self._leave_mark()
            self._names = names | {path.name for path in self._kept if path.exists()}
            if self._names != names:
                self._memory.remember(_FILES, " ".join(sorted(self._names)))

    def gone(self) -> str:
        """Why this is not the folder that the owner's word was in, as was noted last; empty when it is."""
        if gone := [path for path in self._kept if path.name in self._names and not path.exists()]:
            cure = (
                "put it back, or write {} to it to limit nothing"
                if gone[0].suffix == ".json"
                else "put it back"
            )
            return f"{gone[0]} was there and is gone: mount the owner's folder, or {cure}"
        if self._token and self._marked() not in {self._token, ""}:
            words = "mount the owner's folder, or, where this is it, leave an empty file of that name in it"
            return f"{self._mark} is not the mark that the agent left: {words}"
        return ""

    def _leave_mark(self) -> None:
        """Makes even a folder of nothing but a pause one that can be missed; without room it is tried again."""
        with contextlib.suppress(OSError):
            if self._marked() is None:
                self._mark.touch()  # a name alone fits on a full disk
                durable.sync_folder(self._mark.parent)
            if self._marked() == "":
                self._memory.remember(_MARK, self._next_token)
                self._token = self._next_token
                durable.write(self._mark, self._token.encode())
                self._next_token = token_hex(_TOKEN_BYTES)

    def _marked(self) -> str | None:
        """What is in the mark; None when it is not there or cannot be read."""
        try:
            return self._mark.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            return None
