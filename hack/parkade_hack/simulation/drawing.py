"""Draws the course of a vehicle from a seed: when it plugs in, for how long, and how it drives in between.

The same seed, number, sources and days give the same course, whoever asks and in whatever order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np

from parkade_hack.simulation.body import CHARGED_TO, Frame
from parkade_hack.simulation.course import Course, Subject
from parkade_hack.simulation.sources import Drive, Habits, Model, Numbers, Sources

DAY: Final = 1440
HOUR: Final = 60
QUARTER: Final = 15
HOURS_VARY: Final = 0.2
KWH_VARY: Final = 0.5
LEAST_KWH: Final = 5.0
"""By how much stays and charges vary around their means, and the least that is charged: as ev2gym has it."""
MOST_OF_BATTERY: Final = 0.6
"""What all driving between two plugs takes at most: people do not drive until it is empty."""
CITY_KWH: Final = 8.0
"""A way that takes more goes over the motorway."""
WRONG_PLAN: Final = 0.15
SILENCES_A_DAY: Final = 0.1
WITHDRAWALS_A_DAY: Final = 1 / 60
SUN_CELSIUS: Final = 18.0
"""How much warmer than the air it is in a vehicle in the sun at a summer's noon."""
FIRST_CHARGE: Final = (50.0, CHARGED_TO)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vehicle plugs in: the share of vehicles that do it there, and the chance that one does on a day.

    *charger_kw* are the chargers that it may have, *outdoors* the share of them that stand in the sun.
    """

    name: str
    share: float
    plugs_in: float
    charger_kw: tuple[float, ...]
    outdoors: float


PLACES: Final = (
    Place("private", 0.6, 0.85, (3.7, 7.4, 11.0), outdoors=0.5),
    Place("workplace", 0.2, 0.9, (11.0, 22.0), outdoors=0.7),
    Place("public", 0.2, 0.6, (11.0, 22.0), outdoors=1.0),
)


@dataclass(frozen=True, slots=True)
class Stay:
    """At the plug from one minute to another, after a way that took *kwh*."""

    begins: int
    ends: int
    kwh: float


def draw(sources: Sources, seed: int, number: int, begins: datetime, days: int) -> Subject:
    """Vehicle *number* of the fleet of *seed*, for *days* from the midnight *begins* (local time)."""
    random = np.random.default_rng((seed, number))
    model = sources.models[random.integers(len(sources.models))]
    place = PLACES[random.choice(len(PLACES), p=[place.share for place in PLACES])]
    charger_kw = float(random.choice(place.charger_kw))
    is_outdoors = random.random() < place.outdoors
    charge = float(random.uniform(*FIRST_CHARGE))
    stays = _stays(random, sources.habits[place.name], place.plugs_in, begins, days)
    painter = _Painter(sources, model, begins, days)
    painter.weather(is_outdoors=is_outdoors)
    painter.plug(random, stays, charger_kw)
    for before, after in pairwise(stays):
        painter.away(before.ends, after.begins, min(after.kwh, MOST_OF_BATTERY * model.battery_kwh))
    painter.troubles(random)
    frame = Frame(model.battery_kwh, model.joules_per_kelvin, model.watts_per_kelvin)
    return Subject(f"{number:03d} {place.name} {model.name}", frame, charge, begins, painter.course)


def _stays(
    random: np.random.Generator, habits: Habits, plugs_in: float, begins: datetime, days: int
) -> list[Stay]:
    """The vehicle begins at its plug; stays follow each other with time to drive in between."""
    stays = [Stay(0, 7 * HOUR + int(random.integers(2 * HOUR)), 0.0)]
    for day in range(days):
        is_weekend = (begins + timedelta(days=day)).weekday() >= 5  # noqa: PLR2004 - Saturday
        weights = habits.weekend if is_weekend else habits.weekday
        if random.random() >= plugs_in or not weights.any():
            continue
        quarter = int(random.choice(len(weights), p=weights / weights.sum()))
        arrival = day * DAY + quarter * QUARTER + int(random.integers(QUARTER))
        hours = _about(random, habits.hours[quarter // 2], HOURS_VARY)
        kwh = max(LEAST_KWH, _about(random, habits.kwh[quarter // 2], KWH_VARY))
        if arrival >= stays[-1].ends + HOUR:
            ends = min(arrival + max(QUARTER, int(HOUR * hours)), days * DAY)
            stays.append(Stay(arrival, ends, kwh))
    return stays


def _about(random: np.random.Generator, mean: float, varies: float) -> float:
    return float(random.normal(mean, varies * mean))


def _spells(
    random: np.random.Generator, minutes: int, a_day: float, shortest: int, longest: int
) -> Iterator[slice]:
    """Times at which something happens, *a_day* on average, for *shortest* to *longest* minutes each."""
    for _ in range(int(random.poisson(a_day * (minutes // DAY)))):
        begins = int(random.integers(minutes))
        yield slice(begins, begins + int(random.integers(shortest, longest)))


class _Painter:
    """Fills the minutes of one course."""

    def __init__(self, sources: Sources, model: Model, begins: datetime, days: int) -> None:
        self._sources = sources
        self._model = model
        self._hour = int((begins - datetime(begins.year, 1, 1, tzinfo=begins.tzinfo)).total_seconds() // 3600)
        self._begins = begins
        minutes = days * DAY
        empty, off = np.zeros(minutes, np.float32), np.zeros(minutes, np.bool_)
        self.course = Course(
            driving=off.copy(),
            plugged=off.copy(),
            is_silent=off.copy(),
            consents=~off,
            speed=empty.copy(),
            kwh=empty.copy(),
            heat=empty.copy(),
            outside=self._hourly(sources.celsius, minutes),
            around=empty.copy(),
            charger_kw=empty.copy(),
            price=self._hourly(sources.price, minutes),
            departure=np.full(minutes, -1, np.int32),
        )

    def weather(self, *, is_outdoors: bool) -> None:
        """The air where the computer sits: outside's and the sun's.

        The sun is half a sine from 6 to 20 o'clock, and in midwinter a fifth of what it is in midsummer.
        """
        minutes = np.arange(len(self.course))
        day_of_year = self._begins.timetuple().tm_yday + minutes / DAY
        height = np.sin(np.pi * ((minutes % DAY) / HOUR - 6) / 14).clip(0)
        season = 0.6 - 0.4 * np.cos(2 * np.pi * (day_of_year - 10) / 365)
        sun = SUN_CELSIUS * height * season * is_outdoors
        self.course.around[:] = self.course.outside + sun

    def plug(self, random: np.random.Generator, stays: list[Stay], charger_kw: float) -> None:
        """The cable is in, and the owner says when he means to leave."""
        for stay in stays:
            self.course.plugged[stay.begins : stay.ends] = True
            self.course.charger_kw[stay.begins : stay.ends] = charger_kw
            error = int(random.integers(-HOUR, HOUR)) if random.random() < WRONG_PLAN else 0
            planned = QUARTER * round((stay.ends + error) / QUARTER)
            self.course.departure[stay.begins : stay.ends] = planned

    def away(self, leaves: int, returns: int, kwh: float) -> None:
        """One way there at *leaves* and one back until *returns*; in between it stands somewhere else."""
        drive = self._model.drive(
            "city" if kwh <= CITY_KWH else "motorway", float(self.course.outside[leaves])
        )
        minutes = min(round(kwh / 2 / float(drive.kwh.mean())), (returns - leaves) // 2)
        self._drive(drive, leaves, minutes)
        self._drive(drive, returns - minutes, minutes)

    def troubles(self, random: np.random.Generator) -> None:
        """The bus falls silent now and then, and an owner takes back his consent for some days."""
        for now in _spells(random, len(self.course), SILENCES_A_DAY, 5, 40):
            self.course.is_silent[now] = True
        for now in _spells(random, len(self.course), WITHDRAWALS_A_DAY, DAY // 2, 4 * DAY):
            self.course.consents[now] = False

    def _drive(self, drive: Drive, begins: int, minutes: int) -> None:
        now = slice(begins, begins + minutes)
        self.course.driving[now] = True
        for column, values in (
            (self.course.speed, drive.speed),
            (self.course.kwh, drive.kwh),
            (self.course.heat, drive.heat),
        ):
            column[now] = np.resize(values, minutes)

    def _hourly(self, values: Numbers, minutes: int) -> np.typing.NDArray[np.float32]:
        """Minutes of an hourly row, straight from one hour to the next; after its end it begins anew."""
        hours = self._hour + np.arange(minutes) / HOUR
        return np.interp(hours, np.arange(len(values)), values, period=len(values)).astype(np.float32)
