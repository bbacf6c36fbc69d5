"""What a vehicle's bus says of its body and its course, as VSS paths; and the recording that an agent plays."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from parkade_api import vss
from parkade_hack.simulation.body import CHARGED_TO, Body
from parkade_hack.simulation.course import Subject

Value = float | bool | str
Values = Mapping[str, Value]

STEP_CELSIUS: Final = 0.5
STEP_PERCENT: Final = 0.5
"""Sensors speak in steps, and never too well: the hottest cell is rounded up, the coldest one and the charge down."""


class Senses:
    """The bus of one subject."""

    def __init__(self, subject: Subject) -> None:
        course = subject.course
        self._begins = subject.begins
        self._driving, self._plugged = course.driving.tolist(), course.plugged.tolist()
        self._speed, self._departure = course.speed.tolist(), course.departure.tolist()
        self._silent = course.is_silent.tolist()
        self._parked = {True: _held(driving=True), False: _held(driving=False)}
        self._plans: dict[int, Values] = {}

    def values(self, minute: int, body: Body) -> Values | None:
        """All signals in that minute, or None while the bus is silent."""
        if self._silent[minute]:
            return None
        is_plugged, speed = self._plugged[minute], round(self._speed[minute], 1)
        return {
            **self._parked[self._driving[minute]],
            vss.SPEED: speed,
            vss.IS_MOVING: speed != 0,
            vss.PLUGGED_IN: is_plugged,
            vss.IS_CHARGING: is_plugged and body.charge < CHARGED_TO,
            vss.STATE_OF_CHARGE: math.floor(body.charge / STEP_PERCENT) * STEP_PERCENT,
            vss.BATTERY_CELSIUS: round(body.battery / STEP_CELSIUS) * STEP_CELSIUS,
            vss.COLDEST_CELL_CELSIUS: math.floor(body.battery / STEP_CELSIUS) * STEP_CELSIUS,
            vss.HOTTEST_CELL_CELSIUS: math.ceil(body.battery / STEP_CELSIUS) * STEP_CELSIUS,
            vss.COMPUTE_CELSIUS: math.ceil(body.computer / STEP_CELSIUS) * STEP_CELSIUS,
            **self._plan(self._departure[minute]),
        }

    def _plan(self, departure: int) -> Values:
        """The charging timer, by which owners say when they leave."""
        if departure not in self._plans:
            self._plans[departure] = _timer(self._begins, departure)
        return self._plans[departure]


def recording(senses: Senses, bodies: Iterable[tuple[int, Body]]) -> Iterator[str]:
    """Lines for the agent's recording of these minutes: what changed in each, and what is told no longer."""
    told: Values = {}
    for minute, body in bodies:
        values = senses.values(minute, body) or {}
        changed = {path: value for path, value in values.items() if told.get(path) != value}
        line = {"signals": changed, "silent": sorted(told.keys() - values.keys())}
        told = values
        if any(line.values()):
            yield (
                json.dumps({"at": minute * 60, **{name: part for name, part in line.items() if part}}) + "\n"
            )


def _held(*, driving: bool) -> Values:
    return {
        vss.PARK_LOCK: not driving,
        vss.PARKING_BRAKE: not driving,
        vss.LOW_VOLTAGE_STATE: "ON" if driving else "OFF",
    }


def _timer(begins: datetime, departure: int) -> Values:
    if departure < 0:
        return {vss.TIMER_MODE: "INACTIVE"}
    leaves = (begins + timedelta(minutes=departure)).astimezone(UTC)
    return {vss.TIMER_MODE: "END_TIME", vss.TIMER_TIME: leaves.isoformat().replace("+00:00", "Z")}
