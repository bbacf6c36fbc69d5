"""The VSS 6.0 paths that Parkade reads (COVESA Vehicle Signal Specification)."""

from typing import Final

SPEED: Final = "Vehicle.Speed"  # km/h
IS_MOVING: Final = "Vehicle.IsMoving"
PARKING_BRAKE: Final = "Vehicle.Chassis.ParkingBrake.IsEngaged"
PARK_LOCK: Final = "Vehicle.Powertrain.Transmission.IsParkLockEngaged"
LOW_VOLTAGE_STATE: Final = "Vehicle.LowVoltageSystemState"  # UNDEFINED LOCK OFF ACC ON START
STATE_OF_CHARGE: Final = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current"  # percent
IS_CHARGING: Final = "Vehicle.Powertrain.TractionBattery.Charging.IsCharging"
PLUGGED_IN: Final = (
    "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected"
)
BATTERY_CELSIUS: Final = "Vehicle.Powertrain.TractionBattery.Temperature.Average"
COMPUTE_CELSIUS: Final = "Vehicle.ControlUnit.Central.Health.Resources.Temperature"

PATHS: Final = frozenset(
    {
        SPEED,
        IS_MOVING,
        PARKING_BRAKE,
        PARK_LOCK,
        LOW_VOLTAGE_STATE,
        STATE_OF_CHARGE,
        IS_CHARGING,
        PLUGGED_IN,
        BATTERY_CELSIUS,
        COMPUTE_CELSIUS,
    }
)
