"""ThermalOK: computer and traction battery are cool enough; warm asks for less work, hot stops it."""

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import number, stale_at
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.verdict import Verdict, earliest, settle

DEAD_BAND = 5.0  # Celsius between stopping and starting again, and between warm and hot
_WARM = (Effect.PREFER_NO_SCHEDULE, Effect.NO_EXECUTE)
_PATHS = (vss.COMPUTE_CELSIUS, vss.BATTERY_CELSIUS)


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether it is cool enough. After being too hot: 5 C under the limits, for the pool's cooldown."""
    readings, rules = facts.readings, facts.rules
    stale_after = rules.telemetry_stale_after
    compute = number(readings, vss.COMPUTE_CELSIUS, stale_after)
    battery = number(readings, vss.BATTERY_CELSIUS, stale_after)
    was_hot = previous is not None and previous.latched
    recheck_at = stale_at(readings, _PATHS, stale_after, now)
    if compute is None or battery is None:
        was_warm = previous is not None and previous.effect in _WARM
        judged = _unknown(compute, recheck_at, was_hot=was_hot, was_warm=was_warm)
    else:
        margin, message = _tightest(compute, battery, rules)
        if margin < 0 or was_hot:
            judged = _hot(margin, message, rules, previous, now, recheck_at)
        else:
            judged = _cool(margin, message, previous, recheck_at)
    return settle(judged, previous, now, hold)


def _tightest(compute: float, battery: float, rules: PoolRules) -> tuple[float, str]:
    return min(
        (
            limit - celsius,
            f"{name} {celsius:g} C is {'over' if celsius > limit else 'within'} the limit of {limit:g} C",
        )
        for name, celsius, limit in (
            ("computer", compute, rules.max_compute_celsius),
            ("traction battery", battery, rules.max_battery_celsius),
        )
    )


def _unknown(compute: float | None, recheck_at: float | None, *, was_hot: bool, was_warm: bool) -> Verdict:
    """What was warm when it was last seen may be hot by now; stopping at once also spares a third change of taint."""
    what = "computer" if compute is None else "traction battery"
    effect = Effect.NO_EXECUTE if was_hot or was_warm else Effect.NO_SCHEDULE
    return Verdict(
        Condition.THERMAL_OK,
        False,
        Reason.UNKNOWN,
        f"no fresh temperature of the {what}",
        effect,
        latched=was_hot,
        recheck_at=recheck_at,
    )


def _hot(
    margin: float,
    message: str,
    rules: PoolRules,
    previous: Verdict | None,
    now: float,
    recheck_at: float | None,
) -> Verdict:
    since = _clear_since(margin, previous, now)
    ready_at = None if since is None else since + rules.cooldown
    if ready_at is not None and now >= ready_at:
        return _cool(margin, message, previous, recheck_at)
    if ready_at is not None:
        message += f", cooling down for another {ready_at - now:.0f} s"
    elif margin >= 0:
        message += f", not yet {DEAD_BAND:g} C under it"
    return Verdict(
        Condition.THERMAL_OK,
        False,
        Reason.TOO_HOT,
        message,
        Effect.NO_EXECUTE,
        latched=True,
        clear_since=since,
        recheck_at=earliest((recheck_at, ready_at)),
    )


def _clear_since(margin: float, previous: Verdict | None, now: float) -> float | None:
    if margin < DEAD_BAND:
        return None
    return now if previous is None or previous.clear_since is None else previous.clear_since


def _cool(margin: float, message: str, previous: Verdict | None, recheck_at: float | None) -> Verdict:
    was_warm = previous is not None and previous.effect is Effect.PREFER_NO_SCHEDULE
    is_warm = margin < (2 * DEAD_BAND if was_warm else DEAD_BAND)
    effect = Effect.PREFER_NO_SCHEDULE if is_warm else None
    return Verdict(Condition.THERMAL_OK, True, None, message, effect, recheck_at=recheck_at)
