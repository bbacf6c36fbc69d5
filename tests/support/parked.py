"""A vehicle that may work: its signals, and the rules of a pool that it follows."""

from parkade_api import vss
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb

PARKED: dict[str, float | bool | str] = {
    vss.SPEED: 0,
    vss.IS_MOVING: False,
    vss.PARKING_BRAKE: True,
    vss.PARK_LOCK: True,
    vss.LOW_VOLTAGE_STATE: "LOCK",
    vss.STATE_OF_CHARGE: 80,
    vss.IS_CHARGING: True,
    vss.PLUGGED_IN: True,
    vss.BATTERY_CELSIUS: 25,
    vss.COMPUTE_CELSIUS: 40,
}
CABLE = {"PARKADE_LINK": "ethernet"}  # a machine without a default route tells of no link
POLICY = pb.Policy(
    pool="home-garage",
    generation=1,
    min_state_of_charge_percent=60,
    resume_state_of_charge_percent=65,
    charging="Required",
    max_compute_celsius=75,
    max_battery_celsius=45,
    parked_for_seconds=0,
    cooldown_seconds=60,
    telemetry_stale_after_seconds=30,
    driver_return_grace_seconds=0.3,
    stop_policy="None",
    autonomy_seconds=3600,
    max_buffered_shards=64,
)
