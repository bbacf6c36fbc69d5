"""What the vehicle's signals say: the newest value of each VSS path and its age."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Value = float | bool | str


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of one VSS path. `age` is in seconds, at the moment of the decision."""

    value: Value
    age: float


Readings = Mapping[str, Reading]


def flag(readings: Readings, path: str, stale_after: float) -> bool | None:
    """The truth value of *path*, or None when it is missing, stale or no boolean."""
    value = _fresh(readings, path, stale_after)
    return value if isinstance(value, bool) else None


def number(readings: Readings, path: str, stale_after: float) -> float | None:
    """The number at *path*, or None when it is missing, stale or no number."""
    value = _fresh(readings, path, stale_after)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN
    return float(value) if is_number and value is not None else None


def text(readings: Readings, path: str, stale_after: float) -> str | None:
    """The text at *path*, or None when it is missing, stale or no text."""
    value = _fresh(readings, path, stale_after)
    return value if isinstance(value, str) else None


def freshest_age(readings: Readings) -> float | None:
    """Age of the newest reading in seconds, or None without any."""
    return min((reading.age for reading in readings.values()), default=None)


def stale_at(readings: Readings, paths: Iterable[str], stale_after: float, now: float) -> float | None:
    """When the first of those *paths* that are still fresh becomes stale, or None when none is fresh."""
    ages = [readings[path].age for path in paths if path in readings]
    return min((now + stale_after - age for age in ages if age < stale_after), default=None)


def _fresh(readings: Readings, path: str, stale_after: float) -> Value | None:
    reading = readings.get(path)
    return reading.value if reading is not None and reading.age < stale_after else None
