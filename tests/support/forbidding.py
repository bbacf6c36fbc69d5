"""What forbids work in a situation, said once more in plain words to hold the guard against."""

from collections.abc import Iterator

from parkade_api import vss
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.rules import Charging, PoolRules, StopPolicy
from support.situation import CELLS, HOME_ONLY_SHARE_PERCENT, Situation

_BLIND = 60.0  # seconds
_HOT_BAND, _COLD_BAND = 5.0, 2.0  # degrees


def look(seen: Situation) -> None:
    """Notes what of this moment will count later; of charge and heat what a guard sees that follows rules."""
    past = seen.past
    past.parked_since = _since(past.parked_since, seen.now, is_so=_is_parked(seen))
    if seen.rules is None:
        past.blind.clear()
        return
    missing = set(_missing(seen))
    past.blind = {path: past.blind.get(path, seen.now) for path in missing}
    charge, (floor, resume) = seen.number(vss.STATE_OF_CHARGE, 0, 100), _floor_and_resume(seen, seen.rules)
    if charge is not None:
        past.was_low = charge < (resume if past.was_low else floor)
    margins = list(_margins(seen, seen.rules))
    is_mild = missing <= {vss.STATE_OF_CHARGE} and all(margin >= band for margin, band in margins)
    past.mild_since = _since(past.mild_since, seen.now, is_so=is_mild)
    has_cooled = past.mild_since is not None and seen.now >= past.mild_since + seen.rules.cooldown
    past.was_extreme = any(margin < 0 for margin, _ in margins) or (past.was_extreme and not has_cooled)


def stops(seen: Situation) -> list[str]:
    """Why nothing may run now."""
    if seen.rules is None:
        return []
    return [*_of_the_vehicle(seen), *_of_people(seen, seen.rules, seen.own)]


def forbids(seen: Situation) -> list[str]:
    """Why nothing new may start now, although what runs may go on."""
    if seen.rules is None:
        return ["no pool"]
    return [*_of_the_signals(seen, seen.rules), *_of_the_pool(seen, seen.rules, seen.own)]


def most_lanes(own: OwnFacts) -> float:
    """How many lanes may work at most, by the owner's word and what the owner's programs want; one is always left."""
    limits = own.limits
    most = [
        1 if own.wanted_cores is None else own.lanes - own.wanted_cores,
        own.lanes if limits.max_lanes is None else limits.max_lanes,
    ]
    if limits.max_power_watts is not None and own.watts_per_lane:
        most.append(int(limits.max_power_watts / own.watts_per_lane))
    return max(1, min(most))


def _since(before: float | None, now: float, *, is_so: bool) -> float | None:
    if not is_so:
        return None
    return now if before is None else before


def _is_parked(seen: Situation) -> bool:
    is_still = seen.number(vss.SPEED, -150, 500) == 0 and seen.says(vss.IS_MOVING, False)
    is_off = any(seen.says(vss.LOW_VOLTAGE_STATE, state) for state in ("LOCK", "OFF"))
    return is_still and is_off and any(seen.says(path, True) for path in (vss.PARKING_BRAKE, vss.PARK_LOCK))


def _missing(seen: Situation) -> Iterator[str]:
    """Which paths of charge and heat the guard must know and does not."""
    told = (path for path in CELLS if path in seen.values)
    celsius = (
        path for path in (vss.COMPUTE_CELSIUS, vss.BATTERY_CELSIUS, *told) if _celsius(seen, path) is None
    )
    yield from celsius
    if seen.number(vss.STATE_OF_CHARGE, 0, 100) is None:
        yield vss.STATE_OF_CHARGE


def _celsius(seen: Situation, path: str) -> float | None:
    return seen.number(path, -60, 150)


def _margins(seen: Situation, rules: PoolRules) -> Iterator[tuple[float, float]]:
    """How far each temperature is from each limit, negative beyond it, and how far it must be to count as mild."""
    limits = seen.own.limits
    hottest = min(rules.max_battery_celsius, limits.max_battery_celsius or 150)
    battery = (max(0, limits.min_battery_celsius or 0), hottest)
    computer = (-20, min(rules.max_compute_celsius, limits.max_compute_celsius or 150))
    bounds = {vss.COMPUTE_CELSIUS: computer} | dict.fromkeys((vss.BATTERY_CELSIUS, *CELLS), battery)
    for path, (least, most) in bounds.items():
        celsius = _celsius(seen, path)
        if celsius is not None:
            yield celsius - least, _COLD_BAND
            yield most - celsius, _HOT_BAND


def _floor_and_resume(seen: Situation, rules: PoolRules) -> tuple[float, float]:
    """The highest floor, and the resume point as far above it as above the pool's own."""
    own = seen.own.limits.min_state_of_charge_percent or 0
    floor = max(rules.min_state_of_charge_percent, rules.reserve_state_of_charge_percent, own)
    gap = rules.resume_state_of_charge_percent - rules.min_state_of_charge_percent
    return floor, max(floor, min(100, floor + gap))


def _of_the_vehicle(seen: Situation) -> list[str]:
    past = seen.past
    found = {
        "driving": past.parked_since is None,
        "blind for long": any(seen.now - since >= _BLIND for since in past.blind.values()),
        "low": past.was_low,
        "hot or cold": past.was_extreme,
        "broken down": seen.says(vss.IS_BROKEN_DOWN, True),
        "unkillable": bool(seen.own.unkillable),
    }
    return [why for why, is_so in found.items() if is_so]


def _of_people(seen: Situation, rules: PoolRules, own: OwnFacts) -> list[str]:
    is_home_only = rules.consent is not None and seen.consents == "home only"
    caps = [cap for cap in (rules.max_energy_wh_per_day, own.limits.max_energy_wh_per_day) if cap is not None]
    if is_home_only and rules.max_energy_wh_per_day is not None:
        caps.append(rules.max_energy_wh_per_day * HOME_ONLY_SHARE_PERCENT / 100)
    left, watts = seen.departs_in(), own.limits.max_power_watts
    found = {
        "no consent": seen.lacks_consent(),
        "agreed for home": is_home_only and own.place != "home",
        "drained": rules.stop_policy is StopPolicy.HOLD_AND_DRAIN,
        "paused": bool(own.paused_because or own.problem),
        "outside hours": bool(own.limits.hours) and not seen.is_night(),
        "outside places": bool(own.limits.places) and own.place not in own.limits.places,
        "energy": any(own.energy_wh_today >= cap for cap in caps),
        "power": watts is not None and watts < own.watts_per_lane,
        "leaves": rules.respect_schedule and left is not None and -3600 < left <= 120,
    }
    return [why for why, is_so in found.items() if is_so]


def _of_the_signals(seen: Situation, rules: PoolRules) -> list[str]:
    left, is_planned = seen.departs_in(), seen.values.get(vss.TIMER_MODE) == "END_TIME"
    since = seen.past.parked_since
    found = {
        "not parked for long enough": since is None or seen.now < since + rules.parked_for,
        "unplugged": rules.charging is Charging.REQUIRED and not seen.says(vss.PLUGGED_IN, True),
        "blind": any(_missing(seen)),
        "no link": seen.is_unsure(vss.IS_CONNECTED) or seen.says(vss.IS_CONNECTED, False),
        "perhaps broken down": seen.is_unsure(vss.IS_BROKEN_DOWN),
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
