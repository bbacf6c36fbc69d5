"""What a vehicle takes for a pool's numbers: those that the pool's schema allows, and no others."""

import math
import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from parkade_agent import wire
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.v1alpha1.common import seconds
from parkade_api.v1alpha1.vehiclepool import VehiclePoolSpec
from parkade_api.wellknown import Reason
from parkade_core.vehicle.bounds import BOUNDS, RENEWAL_SECONDS, WINDOW_SECONDS
from parkade_core.vehicle.guard import decide, initial
from support.facts import facts
from support.parked import POLICY

OF_THE_SCHEMA = {
    "min_state_of_charge_percent": ("Eligibility", "minStateOfCharge"),
    "resume_state_of_charge_percent": ("Eligibility", "resumeStateOfCharge"),
    "reserve_state_of_charge_percent": ("Departure", "reserveStateOfCharge"),
    "max_compute_celsius": ("Eligibility", "maxComputeCelsius"),
    "max_battery_celsius": ("Eligibility", "maxBatteryCelsius"),
    "parked_for": ("Eligibility", "parkedFor"),
    "cooldown": ("Eligibility", "cooldown"),
    "telemetry_stale_after": ("Eligibility", "telemetryStaleAfter"),
    "driver_return_grace": ("DriverReturn", "gracePeriod"),
    "quiet_before": ("Departure", "quietBefore"),
    "max_energy_wh_per_day": ("Energy", "maxEnergyWhPerDay"),
    "autonomy": ("Autonomy", "duration"),
    "max_buffered_shards": ("Autonomy", "maxBufferedShards"),
    "window": ("Window", "duration"),
    "renewal": ("Consent", "renewAfter"),
}


def stated(schema: Any) -> Iterator[tuple[float, float]]:
    """The bounds that a field's schema states: as minimum and maximum, or in words for a duration."""
    if isinstance(schema, dict):
        if "minimum" in schema:
            yield schema["minimum"], schema["maximum"]
        if found := re.fullmatch("must be from (.*) to (.*)", str(schema.get("message"))):
            yield seconds(found[1]), seconds(found[2])
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from stated(part)


def test_the_bounds_are_those_of_the_schema() -> None:
    """A pool that the API server takes is followed by every vehicle in it."""
    parts = VehiclePoolSpec.model_json_schema()["$defs"]
    bounds = {**BOUNDS, "window": WINDOW_SECONDS, "renewal": RENEWAL_SECONDS}
    in_schema = {
        name: next(stated(parts[at]["properties"][key])) for name, (at, key) in OF_THE_SCHEMA.items()
    }
    assert bounds == in_schema


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((f"{name}_seconds", value) for name in ("parked_for", "cooldown") for value in (-1.0, math.nan)),
        ("telemetry_stale_after_seconds", 1e12),
        ("telemetry_stale_after_seconds", 0.0),
        ("driver_return_grace_seconds", 1e9),
        ("driver_return_grace_seconds", math.inf),
        ("driver_return_grace_seconds", math.nan),
        ("quiet_before_seconds", math.inf),
        ("autonomy_seconds", math.nan),
        ("autonomy_seconds", math.inf),
        ("max_buffered_shards", 1001),
        ("max_energy_wh_per_day", 0),
        ("min_state_of_charge_percent", 101),
        ("max_compute_celsius", 1000),
        ("windows", [pb.Window(schedule="0 22 * * *", duration_seconds=math.inf)]),
        ("consent", pb.ConsentTerms(terms_version="3", renew_after_seconds=math.nan)),
    ],
)
def test_a_number_that_no_pool_may_ask_is_refused(field: str, value: Any) -> None:
    """The guard would wait for ever, end itself, or believe signals of last year; so nothing new starts."""
    policy = pb.Policy()
    policy.CopyFrom(POLICY)
    policy.ClearField(field)  # type: ignore[arg-type]
    policy.MergeFrom(pb.Policy(**{field: value}))
    with pytest.raises(ValueError, match="must be from"):
        wire.rules_of(policy)


@pytest.mark.parametrize(("resume", "is_refused"), [(0, True), (59, True), (60, True), (61, False)])
def test_a_resume_point_that_is_not_above_the_floor_is_refused(resume: int, *, is_refused: bool) -> None:
    """As the pool's schema refuses it. A field that nobody set is 0 on the wire."""
    policy = pb.Policy()
    policy.CopyFrom(POLICY)
    policy.resume_state_of_charge_percent = resume
    with pytest.raises(ValueError, match="must be above the floor of 60") if is_refused else nullcontext():
        wire.rules_of(policy)


@pytest.mark.parametrize("allows", [True, False])
@pytest.mark.parametrize(
    ("window", "words"),
    [
        (pb.Window(schedule="at night", duration_seconds=3600), "schedule 'at night' cannot be read"),
        (
            pb.Window(schedule="0 22 * * *", duration_seconds=3600, time_zone="Mars/Olympus"),
            "Mars/Olympus is no time zone that is known here",
        ),
    ],
)
def test_a_window_that_cannot_be_read_is_followed_and_closes_the_vehicle(
    window: pb.Window, words: str, *, allows: bool
) -> None:
    """Were the rules refused for it, nothing would start at any time, and what runs would follow the old ones."""
    policy = pb.Policy()
    policy.CopyFrom(POLICY)
    policy.windows.append(window)
    policy.windows[0].allows = allows
    rules = wire.rules_of(policy)
    assert rules is not None
    state = decide(facts(rules), initial(0), 1)
    assert (state.may_start, state.reasons) == (False, (Reason.OUTSIDE_WINDOW,))
    assert words in state.causes[0].remedy
