"""What in a pool's spec cannot be meant although its schema allows it; told in the condition ValidationSucceeded."""

from collections.abc import Callable, Iterator
from typing import Final

from parkade_api.v1alpha1.common import seconds
from parkade_api.v1alpha1.vehiclepool import VehiclePoolSpec
from parkade_core.vehicle.rules import Window
from parkade_core.vehicle.windows import problem_of


def contradictions(spec: VehiclePoolSpec) -> list[str]:
    """One sentence for each; empty when all of the spec can be followed."""
    return [sentence for check in _CHECKS for sentence in check(spec)]


def _windows(spec: VehiclePoolSpec) -> Iterator[str]:
    for number, window in enumerate(spec.windows):
        meant = Window(window.schedule, seconds(window.duration), window.time_zone)
        if (problem := problem_of(meant)) is not None:
            follows = "it never allows work" if window.mode == "Allow" else "it denies work at all times"
            yield f"windows[{number}]: {problem}, so {follows}"


def _departure(spec: VehiclePoolSpec) -> Iterator[str]:
    departure = spec.energy.departure
    if departure.respect_schedule:
        return
    if departure.reserve_state_of_charge or seconds(departure.quiet_before):
        yield "energy.departure: reserveStateOfCharge and quietBefore do nothing while respectSchedule is false"


def _silence(spec: VehiclePoolSpec) -> Iterator[str]:
    stale, gone = spec.eligibility.telemetry_stale_after, spec.autonomy.duration
    if seconds(stale) >= seconds(gone):
        yield (
            f"eligibility.telemetryStaleAfter ({stale}) is not shorter than autonomy.duration ({gone}): "
            "a vehicle is removed as soon as it counts as silent"
        )


_CHECKS: Final[tuple[Callable[[VehiclePoolSpec], Iterator[str]], ...]] = (_windows, _departure, _silence)
