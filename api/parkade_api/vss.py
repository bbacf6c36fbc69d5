"""The VSS 6.0 paths that Parkade reads (COVESA Vehicle Signal Specification), and what each can truly say.

Types and words are the specification's. Where it leaves a range open, ours is as wide as any vehicle is: a value
outside it is a broken sensor, not weather.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Final

_BATTERY = "Vehicle.Powertrain.TractionBattery"
_CHARGING = f"{_BATTERY}.Charging"
_COMPUTER = "Vehicle.ControlUnit.Central.Health.Resources"

SPEED: Final = "Vehicle.Speed"
IS_MOVING: Final = "Vehicle.IsMoving"
PARKING_BRAKE: Final = "Vehicle.Chassis.ParkingBrake.IsEngaged"
PARK_LOCK: Final = "Vehicle.Powertrain.Transmission.IsParkLockEngaged"
LOW_VOLTAGE_STATE: Final = "Vehicle.LowVoltageSystemState"
IS_BROKEN_DOWN: Final = "Vehicle.IsBrokenDown"
STATE_OF_CHARGE: Final = f"{_BATTERY}.StateOfCharge.Current"
BATTERY_CELSIUS: Final = f"{_BATTERY}.Temperature.Average"
COLDEST_CELL_CELSIUS: Final = f"{_BATTERY}.Temperature.Min"
HOTTEST_CELL_CELSIUS: Final = f"{_BATTERY}.Temperature.Max"
IS_CHARGING: Final = f"{_CHARGING}.IsCharging"
PLUGGED_IN: Final = f"{_CHARGING}.ChargingPort.AnyPosition.IsChargingCableConnected"
TIMER_MODE: Final = (
    f"{_CHARGING}.Timer.Mode"  # END_TIME: charged by TIMER_TIME, which is when the owner leaves
)
TIMER_TIME: Final = f"{_CHARGING}.Timer.Time"  # ISO 8601, UTC
COMPUTE_CELSIUS: Final = f"{_COMPUTER}.Temperature"
COMPUTE_LOAD: Final = f"{_COMPUTER}.Utilization.CPU"
COMPUTE_WATTS: Final = f"{_COMPUTER}.Power"
IS_CONNECTED: Final = "Vehicle.Connectivity.IsConnectivityAvailable"
LATITUDE: Final = "Vehicle.CurrentLocation.Latitude"
LONGITUDE: Final = "Vehicle.CurrentLocation.Longitude"


class Kind(Enum):
    """What a value is, in words for people."""

    FLAG = "true or false"
    NUMBER = "a number"
    TEXT = "a text"


@dataclass(frozen=True, slots=True)
class Signal:
    """What a sane value of one path is, and its *name* in sentences for people. No *words*: any text."""

    name: str
    kind: Kind
    least: float = -inf
    most: float = inf
    unit: str = ""
    words: tuple[str, ...] = ()


def _flag(name: str) -> Signal:
    return Signal(name, Kind.FLAG)


def _number(name: str, least: float, most: float, unit: str) -> Signal:
    return Signal(name, Kind.NUMBER, least, most, unit)


def _text(name: str, *words: str) -> Signal:
    return Signal(name, Kind.TEXT, words=words)


def _celsius(of_what: str) -> Signal:
    return _number(f"{of_what} Temperature", -60, 150, "C")


SIGNALS: Final[Mapping[str, Signal]] = {
    SPEED: _number("Speed", -150, 500, "km/h"),
    IS_MOVING: _flag("IsMoving"),
    PARKING_BRAKE: _flag("ParkingBrake"),
    PARK_LOCK: _flag("ParkLock"),
    LOW_VOLTAGE_STATE: _text("LowVoltageSystemState", "UNDEFINED", "LOCK", "OFF", "ACC", "ON", "START"),
    IS_BROKEN_DOWN: _flag("IsBrokenDown"),
    STATE_OF_CHARGE: _number("StateOfCharge", 0, 100, "%"),
    BATTERY_CELSIUS: _celsius("traction battery"),
    COLDEST_CELL_CELSIUS: _celsius("coldest cell"),
    HOTTEST_CELL_CELSIUS: _celsius("hottest cell"),
    IS_CHARGING: _flag("IsCharging"),
    PLUGGED_IN: _flag("IsChargingCableConnected"),
    TIMER_MODE: _text("Charging.Timer.Mode", "INACTIVE", "START_TIME", "END_TIME"),
    TIMER_TIME: _text("Charging.Timer.Time"),
    COMPUTE_CELSIUS: _celsius("computer"),
    COMPUTE_LOAD: _number("computer Utilization", 0, 100, "%"),
    COMPUTE_WATTS: _number("computer Power", 0, 10_000, "W"),
    IS_CONNECTED: _flag("IsConnectivityAvailable"),
    LATITUDE: _number("Latitude", -90, 90, "degrees"),
    LONGITUDE: _number("Longitude", -180, 180, "degrees"),
}
PATHS: Final = frozenset(SIGNALS)
PLACE: Final = frozenset({LATITUDE, LONGITUDE})
"""Where the vehicle is: leaves it only coarsened."""
PLANS: Final = frozenset({TIMER_MODE, TIMER_TIME})
"""What the owner plans: not told as signals. A reason may say that a departure is near, and to the owner alone when."""
LONGEST_TEXT: Final = 64
"""Characters of a text that are heard; no word of the specification comes near."""
