"""What most of the agent needs of the journal: a few texts that outlive a power cut."""

from typing import Protocol


class Memory(Protocol):
    """What outlives a power cut. Both methods may raise JournalBroken."""

    def recall(self, name: str) -> str | None:
        """The text that was remembered last under *name*."""

    def remember(self, name: str, text: str) -> None:
        """Keeps *text* under *name*."""
