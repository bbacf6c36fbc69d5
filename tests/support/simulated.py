"""A small world to simulate in, and courses made by hand."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from parkade_hack.simulation.body import Frame
from parkade_hack.simulation.course import Course, Subject
from parkade_hack.simulation.sources import Sources, read

BEGINS = datetime(2016, 7, 1, tzinfo=UTC)
FRAME = Frame(battery_kwh=60.0, joules_per_kelvin=190_000.0, watts_per_kelvin=58.0)


def sources(warmest: float = 24.0, coldest: float = 10.0) -> Sources:
    """Two vehicles, two cycles, and every day of the year the same weather between *coldest* and *warmest*."""
    drive = {"speed": [0.0, 30.0, 50.0], "kwh": [0.05, 0.1, 0.15], "heat": [0.1, 0.2, 0.1]}
    drives = {
        cycle: [{"celsius": celsius, **drive} for celsius in (0.0, 20.0)] for cycle in ("city", "motorway")
    }
    evening = [0.0] * 64 + [1.0] * 20 + [0.0] * 12
    habits = {"weekday": evening, "weekend": evening, "hours": [12.0] * 48, "kwh": [15.0] * 48}
    day = coldest + (warmest - coldest) * (1 - np.cos(2 * np.pi * np.arange(24) / 24)) / 2
    return read(
        {
            "models": [
                {
                    "name": name,
                    "battery_kwh": kwh,
                    "joules_per_kelvin": FRAME.joules_per_kelvin,
                    "watts_per_kelvin": FRAME.watts_per_kelvin,
                    "drives": drives,
                }
                for name, kwh in (("small", 30.0), ("large", 60.0))
            ],
            "habits": dict.fromkeys(("private", "public", "workplace"), habits),
            "celsius": day.tolist() * 366,
            "price": [0.03] * 24 * 366,
        }
    )


def plugged_in(minutes: int, charge: float = 80.0, celsius: float = 15.0) -> Subject:
    """A vehicle that stands at its plug all the time."""
    off, level = np.zeros(minutes, np.bool_), np.full(minutes, celsius, np.float32)
    course = Course(
        driving=off,
        plugged=~off,
        is_silent=off,
        consents=~off,
        speed=level * 0,
        kwh=level * 0,
        heat=level * 0,
        outside=level,
        around=level,
        charger_kw=level * 0 + 11,
        price=level * 0 + 0.03,
        departure=np.full(minutes, -1, np.int32),
    )
    return Subject("by hand", FRAME, charge, BEGINS, course)


def with_course(subject: Subject, **columns: object) -> Subject:
    """*subject* with other columns in its course; a number goes for every minute."""
    shaped = {
        name: np.broadcast_to(np.asarray(values, getattr(subject.course, name).dtype), len(subject.course))
        for name, values in columns.items()
    }
    return replace(subject, course=replace(subject.course, **shaped))
