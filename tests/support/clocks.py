"""A vehicle's clocks, set by hand, and what it remembers of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from parkade_agent.clock import WallClock
from parkade_agent.errors import JournalBroken

START: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp()


@dataclass
class Notes:
    """A journal of notes, which counts what is written; *is_broken* as long as its disk fails."""

    texts: dict[str, str] = field(default_factory=dict)
    writes: int = 0
    is_broken: bool = False

    def recall(self, name: str) -> str | None:
        """What was remembered last."""
        if self.is_broken:
            raise JournalBroken(f"{name} cannot be read")
        return self.texts.get(name)

    def remember(self, name: str, text: str) -> None:
        """Keeps it."""
        if self.is_broken:
            raise JournalBroken(f"{name} cannot be written")
        self.texts[name] = text
        self.writes += 1


class Times:
    """The time of day and the clock that never steps."""

    def __init__(self) -> None:
        self.real, self.steady = START, 500.0
        self.notes = Notes()

    def pass_by(self, seconds: float) -> None:
        """Both go on."""
        self.real += seconds
        self.steady += seconds

    def clock(self, zone: str = "UTC") -> WallClock:
        """The clock of an agent that starts now."""
        return WallClock(self.notes, zone, lambda: self.real, lambda: self.steady)
