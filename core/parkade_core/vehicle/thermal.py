"""ThermalOK: computer and traction battery are neither too hot nor too cold; warm asks for less work."""

from dataclasses import dataclass, replace
from typing import Final

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import number, stale_at, why_missing
from parkade_core.vehicle.verdict import Verdict, blind, earliest, settle, span

DEAD_BAND: Final = 5.0  # Celsius between stopping for heat and starting again, and between warm and hot
COLD_DEAD_BAND: Final = 2.0  # the same for cold, where nights are long and days just above it
MIN_COMPUTE_CELSIUS: Final = -20.0
MIN_BATTERY_CELSIUS: Final = 0.0  # below, cells take harm from charging, which the plug goes on with
_WARM = (Effect.PREFER_NO_SCHEDULE, Effect.NO_EXECUTE)
_COMPUTER, _BATTERY = "computer", "traction battery"
_NEEDED = (vss.COMPUTE_CELSIUS, vss.BATTERY_CELSIUS)
_CELLS = (vss.HOTTEST_CELL_CELSIUS, vss.COLDEST_CELL_CELSIUS)


@dataclass(frozen=True, slots=True)
class _Bound:
    """One limit and what is measured beside it; `margin` is negative beyond it."""

    name: str
    celsius: float
    limit: float
    reason: Reason

    @property
    def margin(self) -> float:
        return self.limit - self.celsius if self.reason is Reason.TOO_HOT else self.celsius - self.limit

    @property
    def dead_band(self) -> float:
        return DEAD_BAND if self.reason is Reason.TOO_HOT else COLD_DEAD_BAND

    @property
    def words(self) -> str:
        beyond = "over" if self.reason is Reason.TOO_HOT else "under"
        where = beyond if self.margin < 0 else "within"
        return f"{self.name} {self.celsius:g} C is {where} the limit of {self.limit:g} C"

    @property
    def remedy(self) -> str:
        if self.reason is Reason.TOO_HOT:
            return f"let the {self.name} cool to {self.limit - self.dead_band:g} C"
        return f"let the {self.name} warm to {self.limit + self.dead_band:g} C"


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether the temperatures are within their limits. Beyond one: a dead band inside it, for the pool's cooldown."""
    stale_after = facts.rules.telemetry_stale_after
    was_out = previous is not None and previous.latched
    paths = (*_NEEDED, *(path for path in _CELLS if path in facts.readings))
    recheck_at = stale_at(facts.readings, paths, stale_after, now)
    missing = (why_missing(facts.readings, path, stale_after) for path in paths)
    why = next((words for words in missing if words), "")
    bounds = _bounds(facts)
    if why and all(bound.margin >= 0 for bound in bounds):
        # What was warm when it was last seen may be hot by now; at once also spares a third change of taint.
        is_urgent = was_out or (previous is not None and previous.effect in _WARM)
        unseen = blind(Condition.THERMAL_OK, why, previous, now, max(stale_after, hold), at_once=is_urgent)
        judged = replace(unseen, latched=was_out, recheck_at=earliest((unseen.recheck_at, recheck_at)))
    elif was_out or any(bound.margin < 0 for bound in bounds):
        judged = _out(bounds, facts.rules.cooldown, previous, now, recheck_at)
    else:
        judged = _inside(bounds, previous, recheck_at)
    return settle(judged, previous, now, hold)


def _bounds(facts: Facts) -> tuple[_Bound, ...]:
    """The limits of what is known. Cells differ: where the vehicle tells its hottest and coldest one, they count."""
    rules, coldest_allowed = facts.rules, MIN_BATTERY_CELSIUS
    if facts.own is not None and facts.own.limits.min_battery_celsius is not None:
        coldest_allowed = max(coldest_allowed, facts.own.limits.min_battery_celsius)
    compute = _celsius(facts, vss.COMPUTE_CELSIUS)
    cells = _celsius(facts, vss.BATTERY_CELSIUS, *_CELLS)
    return (
        *(_Bound(_COMPUTER, celsius, rules.max_compute_celsius, Reason.TOO_HOT) for celsius in compute),
        *(_Bound(_COMPUTER, celsius, MIN_COMPUTE_CELSIUS, Reason.TOO_COLD) for celsius in compute),
        *(_Bound(_BATTERY, celsius, rules.max_battery_celsius, Reason.TOO_HOT) for celsius in cells),
        *(_Bound(_BATTERY, celsius, coldest_allowed, Reason.TOO_COLD) for celsius in cells),
    )


def _celsius(facts: Facts, *paths: str) -> list[float]:
    found = (number(facts.readings, path, facts.rules.telemetry_stale_after) for path in paths)
    return [celsius for celsius in found if celsius is not None]


def _out(
    bounds: tuple[_Bound, ...],
    cooldown: float,
    previous: Verdict | None,
    now: float,
    recheck_at: float | None,
) -> Verdict:
    """Beyond a limit, or not yet far or long enough inside again."""
    tightest = min(bounds, key=lambda bound: (bound.margin >= 0, bound.margin - bound.dead_band))
    since = _clear_since(tightest, previous, now)
    ready_at = None if since is None else since + cooldown
    if ready_at is not None and now >= ready_at:
        return _inside(bounds, previous, recheck_at)
    reason, message, remedy = tightest.reason, tightest.words, tightest.remedy
    if ready_at is not None:
        message, remedy = f"{message} again, for too short a time", f"wait {span(ready_at - now)}"
        reason = Reason.TOO_COLD if previous and previous.reason is Reason.TOO_COLD else Reason.TOO_HOT
    elif tightest.margin >= 0:
        message += f", not yet {tightest.dead_band:g} C"
    return Verdict(
        Condition.THERMAL_OK,
        False,
        reason,
        message,
        Effect.NO_EXECUTE,
        latched=True,
        clear_since=since,
        recheck_at=earliest((recheck_at, ready_at)),
        remedy=remedy,
    )


def _clear_since(tightest: _Bound, previous: Verdict | None, now: float) -> float | None:
    if tightest.margin < tightest.dead_band:
        return None
    return now if previous is None or previous.clear_since is None else previous.clear_since


def _inside(bounds: tuple[_Bound, ...], previous: Verdict | None, recheck_at: float | None) -> Verdict:
    hottest = min(
        (bound for bound in bounds if bound.reason is Reason.TOO_HOT), key=lambda bound: bound.margin
    )
    was_warm = previous is not None and previous.effect is Effect.PREFER_NO_SCHEDULE
    is_warm = hottest.margin < (2 * DEAD_BAND if was_warm else DEAD_BAND)
    return Verdict(
        Condition.THERMAL_OK,
        True,
        None,
        hottest.words,
        Effect.PREFER_NO_SCHEDULE if is_warm else None,
        recheck_at=recheck_at,
        remedy=hottest.remedy if is_warm else "",
    )
