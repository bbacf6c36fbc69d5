"""The names by which a vehicle offers what Parkade reads: VSS 6.0 and 5.1, and the plug's name of 4.0.

Where a vehicle has several of a thing, the largest value speaks for all: plugged in at any port, the hottest computer,
of which none may be silent.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from parkade_api import vss
from parkade_core.vehicle.plausible import why_impossible
from parkade_core.vehicle.readings import Reading, Readings

_SEVERAL: Final = (
    (
        vss.PLUGGED_IN,
        re.compile(
            r"Vehicle\.Powertrain\.TractionBattery\.Charging\.(ChargingPort\.\w+\.)?IsChargingCableConnected"
        ),
    ),
    (vss.COMPUTE_CELSIUS, re.compile(r"Vehicle\.ControlUnit\.\w+\.Health\.Resources\.Temperature")),
)


def known(offered: Iterable[str]) -> Mapping[str, str]:
    """Which of the *offered* paths are listened to, each with the VSS 6.0 path that core knows it by."""
    return {path: name for path in offered if (name := _our_name(path)) is not None}


def folded(readings: Readings, names: Mapping[str, str]) -> Readings:
    """The *readings* by their VSS 6.0 paths; of several of one thing the largest, or one that cannot be true."""
    ours: dict[str, Reading] = {}
    for path, reading in readings.items():
        name = names[path]
        ours[name] = _graver(name, ours[name], reading) if name in ours else reading
    return ours


def _our_name(path: str) -> str | None:
    if path in vss.PATHS:
        return path
    return next((name for name, pattern in _SEVERAL if pattern.fullmatch(path)), None)


def _graver(name: str, one: Reading, other: Reading) -> Reading:
    for reading in (one, other):
        if reading.fault or why_impossible(name, reading.value):
            return reading
    # Both are sane, so of one type; of equals the one that was heard last speaks.
    graver = max(one, other, key=lambda reading: (reading.value, -reading.age))
    if name == vss.COMPUTE_CELSIUS:  # the silent one may be the hottest by now
        return replace(graver, age=max(one.age, other.age))
    return graver
