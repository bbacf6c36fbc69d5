"""What is counted while courses are played, and the sums of it."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Self

from parkade_core.vehicle.guard import GuardState

CHANGES_WITHIN: float = 60.0


@dataclass(slots=True)
class Tally:
    """Steps of one minute, counted.

    A step is `used` when something computed in it, `usable` when the clairvoyant computed, `met` when both did.
    `lane_minutes` and `usable_lane_minutes` count each busy lane. The four after them are what must never be:
    computing beyond a limit of heat or cold, under the reserve, without consent, and while somebody drives.
    """

    steps: int = 0
    parked: int = 0
    used: int = 0
    usable: int = 0
    met: int = 0
    lane_minutes: float = 0.0
    usable_lane_minutes: float = 0.0
    beyond_limits: int = 0
    under_reserve: int = 0
    without_consent: int = 0
    while_driving: int = 0
    decisions: int = 0
    most_changes_a_minute: int = 0
    highest_beyond_celsius: float = 0.0
    compute_kwh: float = 0.0
    euros: float = 0.0

    def add(self, other: Self) -> None:
        """Takes in the tally of another vehicle: sums, and the worst where a field tells the most or the highest."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            worst = each.name.startswith(("most", "highest"))
            setattr(self, each.name, max(mine, theirs) if worst else mine + theirs)

    def compare(self, could: int, lanes: float) -> None:
        """Takes in one step, in which the clairvoyant had *could* lanes at work and the guard *lanes*."""
        self.usable += could > 0
        self.met += could > 0 and lanes > 0
        self.usable_lane_minutes += could

    @property
    def share(self) -> float:
        """What part of the clairvoyant's steps was used."""
        return self.met / self.usable if self.usable else 1.0

    @property
    def lane_share(self) -> float:
        """The same of lanes times minutes."""
        return self.lane_minutes / self.usable_lane_minutes if self.usable_lane_minutes else 1.0


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them in one."""
    everything = Tally()
    for tally in tallies:
        everything.add(tally)
    return everything


@dataclass(slots=True)
class Changes:
    """How often any one condition's verdict changed within a minute, at most."""

    most: int = 0
    _last: dict[str, object] = field(default_factory=dict)
    _recent: deque[tuple[float, str]] = field(default_factory=deque)

    def see(self, state: GuardState, now: float) -> None:
        """Notes the verdicts decided at *now*, in seconds."""
        for verdict in state.verdicts:
            said = (verdict.holds, verdict.effect)
            if self._last.get(verdict.condition, said) != said:
                self._recent.append((now, verdict.condition))
            self._last[verdict.condition] = said
        while self._recent and self._recent[0][0] <= now - CHANGES_WITHIN:
            self._recent.popleft()
        if self._recent:
            self.most = max(self.most, *Counter(name for _, name in self._recent).values())
