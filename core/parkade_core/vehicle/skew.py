"""Clocks that differ: a vehicle's time of day against the gateway's, told when a session opens."""

from typing import Final

from parkade_core.vehicle.verdict import span

MOST_SECONDS: Final = 120.0
"""Less is not worth a word: nothing that is decided by the time of day is decided to the minute."""


def problem_of_clock(vehicles: float, gateways: float) -> str | None:
    """What a person should know of a vehicle's clock, both in unix seconds; None when it agrees with the gateway's."""
    ahead = vehicles - gateways
    if abs(ahead) <= MOST_SECONDS:
        return None
    return (
        f"the vehicle's clock is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the gateway's: leases, "
        "results and pay do not depend on it, but the owner's hours, the pool's windows, consent and certificates do; "
        "set the vehicle's clock"
    )
