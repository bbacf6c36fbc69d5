"""The signals of a vehicle that stands in its garage, locked, plugged in and cool."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from parkade_api import vss

PARKED: Final[Mapping[str, float | bool | str]] = {
    vss.SPEED: 0.0,
    vss.IS_MOVING: False,
    vss.PARKING_BRAKE: True,
    vss.PARK_LOCK: True,
    vss.LOW_VOLTAGE_STATE: "OFF",
    vss.STATE_OF_CHARGE: 82.0,
    vss.IS_CHARGING: True,
    vss.PLUGGED_IN: True,
    vss.BATTERY_CELSIUS: 24.0,
    vss.COMPUTE_CELSIUS: 45.0,
}


def write_parked(path: Path) -> None:
    """Writes the script that the agent follows. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"signals": dict(PARKED)}) + "\n", encoding="utf-8")
