"""A vehicle's situation as the guard is shown it, and what of its past still counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from parkade_api import vss
from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.readings import Reading, Value
from parkade_core.vehicle.rules import ConsentTerms, PoolRules, Window
from support.facts import GOOD, NOON, OWN, RULES

NIGHT = Window("0 22 * * *", 8 * 3600.0)
TERMS = ConsentTerms("3", frozenset({"public-data"}))
HOME_ONLY_SHARE_PERCENT = 60
LENDING = replace(OWN, watts_per_lane=10.0)
CELLS = (vss.HOTTEST_CELL_CELSIUS, vss.COLDEST_CELL_CELSIUS)
_STALE = RULES.telemetry_stale_after


@dataclass
class Past:
    """What happened and still counts; times are seconds on the clock of `Situation.now`.

    `blind` has since when the guard misses which path. `parked_since` and `mild_since` are since when the vehicle
    stands, and since when no temperature is near its limit, None while it is not so. `was_low` and `was_extreme` last
    from a charge under the floor to the resume point, and from a limit of heat or cold to the end of the cool-down.
    """

    blind: dict[str, float] = field(default_factory=dict)
    parked_since: float | None = None
    mild_since: float | None = None
    was_low: bool = False
    was_extreme: bool = False


@dataclass
class Situation:
    """Everything that the guard is shown, as the test put it; `ahead` is how far the clock was stepped, in seconds."""

    now: float = 0.0
    values: Mapping[str, Value] = field(default_factory=lambda: dict(GOOD))
    silent: dict[str, float] = field(default_factory=dict)  # path -> since when
    disbelieved: set[str] = field(default_factory=set)  # paths whose source's clock was set
    rules: PoolRules | None = RULES
    own: OwnFacts = LENDING
    consents: str = "none"
    ahead: float = 0.0
    is_believed: bool = True
    quarantined: str = ""
    past: Past = field(default_factory=Past)

    @property
    def clock(self) -> datetime:
        """The time of day that the vehicle's clock shows."""
        return NOON + timedelta(seconds=self.now + self.ahead)

    def facts(self) -> Facts | None:
        """What the guard is shown."""
        if self.rules is None:
            return None
        seen = {path: self._reading(path, value) for path, value in self.values.items()}
        wall = self.clock if self.is_believed else None
        return Facts(seen, self.rules, replace(self.own, wall=wall), self.quarantined)

    def hear(self, path: str, value: Value | None) -> None:
        """A new word, which is believed; None takes the path back."""
        self.silent.pop(path, None)
        self.disbelieved.discard(path)
        others = {other: said for other, said in self.values.items() if other != path}
        self.values = others if value is None else {**others, path: value}

    def says(self, path: str, value: Value) -> bool:
        """Whether that is freshly heard and believed."""
        return self.values.get(path) == value and self._is_believed(path)

    def is_unsure(self, path: str) -> bool:
        """Whether a yes or no that was told is not believed."""
        is_known = any(self.values.get(path) is value for value in (True, False))
        return path in self.values and not (is_known and self._is_believed(path))

    def number(self, path: str, least: float, most: float) -> float | None:
        """What is heard at *path*, when it is fresh, believed, and can be true."""
        value = self.values.get(path)
        if not isinstance(value, int | float) or isinstance(value, bool) or not self._is_believed(path):
            return None
        return float(value) if least <= value <= most else None

    def departs_in(self) -> float | None:
        """Seconds until the planned departure; None without a plan, or a clock to hold it against."""
        if self.values.get(vss.TIMER_MODE) != "END_TIME" or not self.is_believed:
            return None
        return (datetime.fromisoformat(str(self.values[vss.TIMER_TIME])) - self.clock).total_seconds()

    def is_night(self) -> bool:
        """Whether it is known to be within NIGHT."""
        return self.is_believed and (self.clock.hour >= 22 or self.clock.hour < 6)

    def lacks_consent(self) -> bool:
        """Whether the owner's word is not enough."""
        if self.rules is None or self.rules.consent is None:
            return self.consents == "revoked"
        return self.consents not in {"granted", "home only"} or not self.is_believed

    def _age(self, path: str) -> float:
        return self.now - self.silent.get(path, self.now)

    def _is_believed(self, path: str) -> bool:
        return self._age(path) < _STALE and path not in self.disbelieved

    def _reading(self, path: str, value: Value) -> Reading:
        fault = "its clock went back by 3600 s" if path in self.disbelieved else ""
        return Reading(value, self._age(path), fault)


def consent(kind: str) -> Consent | None:
    """The owner's word, by what became of it."""
    if kind == "none":
        return None
    begin = NOON.timestamp() - 100_000
    return Consent(
        number=1,
        vehicle="v1",
        terms_version="2" if kind == "old terms" else "3",
        scopes=TERMS.scopes,
        granted_at=begin,
        expires_at=begin + (1 if kind == "expired" else 1e9),
        places=frozenset({"home"}) if kind == "home only" else frozenset(),
        energy_share_percent=HOME_ONLY_SHARE_PERCENT if kind == "home only" else 100,
        revoked=kind == "revoked",
    )
