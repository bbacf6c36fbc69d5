"""VehicleParked: stands still, is held, and nobody is about to drive, for as long as the pool asks."""

from dataclasses import dataclass

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import Readings, flag, number, stale_at, text, why_missing
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.verdict import Verdict, earliest, settle, span

PARKED_STATES = frozenset({"LOCK", "OFF"})  # ACC: somebody sits inside
_PATHS = (vss.IS_MOVING, vss.SPEED, vss.PARK_LOCK, vss.PARKING_BRAKE, vss.LOW_VOLTAGE_STATE)


@dataclass(frozen=True, slots=True)
class _Signs:
    driving: tuple[str, ...]
    missing: tuple[str, ...]


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether the vehicle is parked. A missing or stale signal counts as driving."""
    readings, rules = facts.readings, facts.rules
    signs = _signs(readings, rules.telemetry_stale_after)
    recheck_at = stale_at(readings, _PATHS, rules.telemetry_stale_after, now)
    if signs.driving or signs.missing:
        reason = Reason.DRIVING if signs.driving else Reason.UNKNOWN
        message = ", ".join(signs.driving or signs.missing)
        judged = Verdict(
            Condition.VEHICLE_PARKED,
            False,
            reason,
            message,
            Effect.NO_EXECUTE,
            recheck_at=recheck_at,
            remedy="park the vehicle and switch it off" if signs.driving else "wait for the signal",
        )
        return settle(judged, previous, now, hold)
    return settle(
        _still(rules, previous, now, recheck_at), previous, now, hold, waits_as=Reason.NOT_PARKED_LONG_ENOUGH
    )


def _still(rules: PoolRules, previous: Verdict | None, now: float, recheck_at: float | None) -> Verdict:
    since = now if previous is None or previous.clear_since is None else previous.clear_since
    ready_at = since + rules.parked_for
    if now >= ready_at:
        return Verdict(
            Condition.VEHICLE_PARKED, True, None, "parked", clear_since=since, recheck_at=recheck_at
        )
    # A gateway that has just started cannot know for how long the vehicle is parked: it stops no running pod.
    effect = Effect.NO_SCHEDULE if previous is None or previous.effect is None else previous.effect
    return Verdict(
        Condition.VEHICLE_PARKED,
        holds=False,
        reason=Reason.NOT_PARKED_LONG_ENOUGH,
        message=f"parked for {now - since:.0f} s, less than {rules.parked_for:.0f} s",
        effect=effect,
        clear_since=since,
        recheck_at=earliest((recheck_at, ready_at)),
        remedy=f"wait {span(ready_at - now)}",
    )


def _signs(readings: Readings, stale_after: float) -> _Signs:
    moving = flag(readings, vss.IS_MOVING, stale_after)
    speed = number(readings, vss.SPEED, stale_after)
    state = text(readings, vss.LOW_VOLTAGE_STATE, stale_after)
    lock, brake = (flag(readings, path, stale_after) for path in (vss.PARK_LOCK, vss.PARKING_BRAKE))
    driving = (
        (moving is True, "IsMoving is true"),
        (speed is not None and speed != 0, f"Speed {speed:g} km/h is not 0" if speed is not None else ""),
        (
            (lock, brake) != (None, None) and not (lock or brake),
            "neither ParkLock nor ParkingBrake is engaged",
        ),
        (
            state is not None and state not in PARKED_STATES,
            f"LowVoltageSystemState {state} is not LOCK or OFF",
        ),
    )
    missing = (
        (moving is None, vss.IS_MOVING),
        (speed is None, vss.SPEED),
        ((lock, brake) == (None, None), vss.PARK_LOCK),
        (state is None, vss.LOW_VOLTAGE_STATE),
    )
    return _Signs(
        tuple(words for is_so, words in driving if is_so),
        tuple(why_missing(readings, path, stale_after) for is_so, path in missing if is_so),
    )
