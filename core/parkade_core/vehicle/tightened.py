"""The pool's rules under the owner's hard caps: the tighter of the two counts, and nothing loosens either."""

from dataclasses import replace

from parkade_core.vehicle.limits import NO_LIMITS, OwnerLimits
from parkade_core.vehicle.rules import PoolRules


def tightened(rules: PoolRules, limits: OwnerLimits) -> PoolRules:
    """*rules* as the vehicle applies them. The owner's floor is a reserve: work stops under it, whatever it is for."""
    if limits == NO_LIMITS:
        return rules
    return replace(
        rules,
        reserve_state_of_charge_percent=max(
            rules.reserve_state_of_charge_percent, limits.min_state_of_charge_percent or 0.0
        ),
        max_compute_celsius=_least(rules.max_compute_celsius, limits.max_compute_celsius),
        max_battery_celsius=_least(rules.max_battery_celsius, limits.max_battery_celsius),
    )


def _least(rule: float, cap: float | None) -> float:
    return rule if cap is None else min(rule, cap)
