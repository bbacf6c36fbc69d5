"""The numbers that a pool's rules may hold, as its schema has them: no vehicle takes the cluster's word for it."""

from collections.abc import Iterator, Mapping
from typing import Final

from parkade_core.vehicle.rules import PoolRules

_PERCENT: Final = (0.0, 100.0)
_HOUR: Final = 3600.0

BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "min_state_of_charge_percent": _PERCENT,
    "resume_state_of_charge_percent": _PERCENT,
    "reserve_state_of_charge_percent": _PERCENT,
    "max_compute_celsius": (30.0, 110.0),
    "max_battery_celsius": (20.0, 70.0),
    "parked_for": (0.0, 24 * _HOUR),
    "cooldown": (0.0, 24 * _HOUR),
    "telemetry_stale_after": (1.0, 600.0),
    "driver_return_grace": (0.0, 30.0),
    "quiet_before": (0.0, 12 * _HOUR),
    "max_energy_wh_per_day": (1.0, 1e6),
    "autonomy": (1.0, 168 * _HOUR),
    "max_buffered_shards": (1.0, 1000.0),
}
"""Least and most of each number of PoolRules; durations in seconds."""

WINDOW_SECONDS: Final = (60.0, 168 * _HOUR)
RENEWAL_SECONDS: Final = (_HOUR, 17520 * _HOUR)
"""Of a consent that must be renewed; 0 says that it need not be."""


def out_of_bounds(rules: PoolRules) -> str | None:
    """What no pool may ask, in a sentence; None when every number is within its bounds. No NaN is."""
    for name, number, (least, most) in _numbers(rules):
        if not least <= number <= most:
            return f"{name} is {number:g}, must be from {least:g} to {most:g}"
    floor, resume = rules.min_state_of_charge_percent, rules.resume_state_of_charge_percent
    if resume <= floor:
        return f"resume_state_of_charge_percent is {resume:g}, must be above the floor of {floor:g}"
    return None


def _numbers(rules: PoolRules) -> Iterator[tuple[str, float, tuple[float, float]]]:
    for name, bounds in BOUNDS.items():
        number = getattr(rules, name)
        if number is not None:
            yield name, number, bounds
    for index, window in enumerate(rules.windows):
        yield f"windows[{index}].duration", window.duration, WINDOW_SECONDS
    if rules.consent is not None and rules.consent.renew_after != 0:
        yield "consent.renew_after", rules.consent.renew_after, RENEWAL_SECONDS
