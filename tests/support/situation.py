"""A vehicle's situation, and what forbids work in it, said once more in plain words to hold the guard against."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from parkade_api import vss
from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.readings import Reading, Value
from parkade_core.vehicle.rules import Charging, ConsentTerms, PoolRules, StopPolicy, Window
from support.facts import GOOD, NOON, OWN, RULES

NIGHT = Window("0 22 * * *", 8 * 3600.0)
TERMS = ConsentTerms("3", frozenset({"public-data"}))
HOME_ONLY_SHARE_PERCENT = 60
_NEEDED = {vss.STATE_OF_CHARGE: (0, 100), vss.COMPUTE_CELSIUS: (-60, 150), vss.BATTERY_CELSIUS: (-60, 150)}
_BLIND = 60.0  # seconds
_STALE = RULES.telemetry_stale_after


@dataclass
class Situation:
    """Everything that the guard is shown, as the test put it; `ahead` is how far the clock was stepped, in seconds."""

    now: float = 0.0
    values: Mapping[str, Value] = field(default_factory=lambda: dict(GOOD))
    silent: dict[str, float] = field(default_factory=dict)  # path -> since when
    blind: dict[str, float] = field(default_factory=dict)  # path -> since when the guard misses it
    rules: PoolRules | None = RULES
    own: OwnFacts = OWN
    consents: str = "none"
    ahead: float = 0.0
    is_believed: bool = True
    quarantined: str = ""

    @property
    def clock(self) -> datetime:
        """The time of day that the vehicle's clock shows."""
        return NOON + timedelta(seconds=self.now + self.ahead)

    def look(self) -> None:
        """Notes since when charge and heat are unknown to a guard that follows rules."""
        for path, (least, most) in _NEEDED.items():
            if self.rules is None or self.number(path, least, most) is not None:
                self.blind.pop(path, None)
            else:
                self.blind.setdefault(path, self.now)

    def facts(self) -> Facts | None:
        """What the guard is shown."""
        if self.rules is None:
            return None
        seen = {path: Reading(value, self.age(path)) for path, value in self.values.items()}
        wall = self.clock if self.is_believed else None
        return Facts(seen, self.rules, replace(self.own, wall=wall), self.quarantined)

    def age(self, path: str) -> float:
        """Seconds since that path was heard."""
        return self.now - self.silent.get(path, self.now)

    def says(self, path: str, value: Value) -> bool:
        """Whether that is freshly heard."""
        return self.values.get(path) == value and self.age(path) < _STALE

    def number(self, path: str, least: float, most: float) -> float | None:
        """What is heard at *path*, when it is fresh and can be true."""
        value = self.values.get(path)
        if not isinstance(value, int | float) or isinstance(value, bool) or self.age(path) >= _STALE:
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


def stops(seen: Situation) -> list[str]:
    """Why nothing may run now."""
    if seen.rules is None:
        return []
    return [*_of_the_vehicle(seen, seen.rules), *_of_people(seen, seen.rules, seen.own)]


def forbids(seen: Situation) -> list[str]:
    """Why nothing new may start now, although what runs may go on."""
    if seen.rules is None:
        return ["no pool"]
    return [*_of_the_signals(seen, seen.rules), *_of_the_pool(seen, seen.rules, seen.own)]


def _of_the_vehicle(seen: Situation, rules: PoolRules) -> list[str]:
    limits, is_still = seen.own.limits, seen.number(vss.SPEED, -150, 500) == 0
    is_off = any(seen.says(vss.LOW_VOLTAGE_STATE, state) for state in ("LOCK", "OFF"))
    is_held = seen.says(vss.PARKING_BRAKE, True)
    charge = seen.number(vss.STATE_OF_CHARGE, 0, 100)
    computer = seen.number(vss.COMPUTE_CELSIUS, -60, 150)
    battery = seen.number(vss.BATTERY_CELSIUS, -60, 150)
    floor = max(
        rules.min_state_of_charge_percent,
        rules.reserve_state_of_charge_percent,
        limits.min_state_of_charge_percent or 0,
    )
    hottest = (limits.max_compute_celsius or 75, limits.max_battery_celsius or 45)
    is_parked = is_still and is_off and is_held and seen.says(vss.IS_MOVING, False)
    found = {
        "driving": not is_parked,
        "blind for long": any(seen.now - since >= _BLIND for since in seen.blind.values()),
        "low": charge is not None and charge < floor,
        "hot": (computer or 0) > hottest[0] or (battery or 0) > hottest[1],
        "cold": (computer or 0) < -20
        or (battery is not None and battery < (limits.min_battery_celsius or 0)),
    }
    return [why for why, is_so in found.items() if is_so]


def _of_people(seen: Situation, rules: PoolRules, own: OwnFacts) -> list[str]:
    is_home_only = rules.consent is not None and seen.consents == "home only"
    caps = [cap for cap in (rules.max_energy_wh_per_day, own.limits.max_energy_wh_per_day) if cap is not None]
    if is_home_only and rules.max_energy_wh_per_day is not None:
        caps.append(rules.max_energy_wh_per_day * HOME_ONLY_SHARE_PERCENT / 100)
    left = seen.departs_in()
    found = {
        "no consent": seen.lacks_consent(),
        "agreed for home": is_home_only and own.place != "home",
        "drained": rules.stop_policy is StopPolicy.HOLD_AND_DRAIN,
        "paused": bool(own.paused_because or own.problem),
        "outside hours": bool(own.limits.hours) and not seen.is_night(),
        "outside places": bool(own.limits.places) and own.place not in own.limits.places,
        "energy": any(own.energy_wh_today >= cap for cap in caps),
        "leaves": rules.respect_schedule and left is not None and -3600 < left <= 120,
    }
    return [why for why, is_so in found.items() if is_so]


def _of_the_signals(seen: Situation, rules: PoolRules) -> list[str]:
    celsius = [seen.number(path, -60, 150) for path in (vss.COMPUTE_CELSIUS, vss.BATTERY_CELSIUS)]
    left, is_planned = seen.departs_in(), seen.values.get(vss.TIMER_MODE) == "END_TIME"
    found = {
        "unplugged": rules.charging is Charging.REQUIRED and not seen.says(vss.PLUGGED_IN, True),
        "blind": None in (seen.number(vss.STATE_OF_CHARGE, 0, 100), *celsius),
        "no link": seen.says(vss.IS_CONNECTED, False),
        "leaves soon": rules.respect_schedule and left is not None and 0 < left <= rules.quiet_before,
        "leaves some time": rules.respect_schedule and is_planned and not seen.is_believed,
    }
    return [why for why, is_so in found.items() if is_so]


def _of_the_pool(seen: Situation, rules: PoolRules, own: OwnFacts) -> list[str]:
    found = {
        "held": rules.stop_policy is not StopPolicy.NONE,
        "outside windows": bool(rules.windows) and not seen.is_night(),
        "elsewhere": bool(rules.places) and own.place not in rules.places,
        "wrong link": bool(rules.links) and own.link not in rules.links,
        "metered": own.link in ("cellular", "") and not own.limits.allow_metered_link,
        "quarantined": bool(seen.quarantined),
        "unwalled": bool(own.missing_layers),
        "forgetful": bool(own.trouble),
    }
    return [why for why, is_so in found.items() if is_so]
