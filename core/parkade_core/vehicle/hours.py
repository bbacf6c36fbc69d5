"""Hours as an owner writes them, by the vehicle's clock: `22:00-06:00`, `mon-fri 22:00-06:00`, `sun 00:00-24:00`."""

import re
from collections.abc import Iterable
from typing import Final

from parkade_core.shown import shown
from parkade_core.vehicle.rules import Window

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")  # cron counts from Sunday
_DAY: Final = f"(?:{'|'.join(_DAYS)})"
_HOURS: Final = re.compile(
    rf"(?:({_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*) )?"
    r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])"
)
_MINUTES_OF_A_DAY: Final = 24 * 60


class BadHours(Exception):
    """The text says no hours; the message says what would."""


def hours_of(text: str) -> Window:
    """The window in *text*; it may pass midnight, and belongs to the day on which it begins. Raises BadHours."""
    days, begin, minutes = _parts(text)
    weekdays = "*" if len(days) == len(_DAYS) else ",".join(map(str, sorted(days)))
    return Window(f"{begin % 60} {begin // 60} * * {weekdays}", minutes * 60.0)


def minutes_of(texts: Iterable[str]) -> frozenset[int]:
    """The minutes of a week, counted from Sunday 00:00, that lie in any of those hours. Raises BadHours."""
    return frozenset(
        (day * _MINUTES_OF_A_DAY + begin + minute) % (len(_DAYS) * _MINUTES_OF_A_DAY)
        for days, begin, minutes in map(_parts, texts)
        for day in days
        for minute in range(minutes)
    )


def _parts(text: str) -> tuple[frozenset[int], int, int]:
    """Days, the minute of the day at which each begins, and how many minutes it lasts. Raises BadHours."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise BadHours(f"{shown(text, 64)!r} are no hours: write 22:00-06:00 or mon-fri 22:00-06:00")
    days, *clock = found.groups()
    hour, minute, last_hour, last_minute = map(int, clock)
    begin, end = hour * 60 + minute, last_hour * 60 + last_minute
    if begin == end or end > _MINUTES_OF_A_DAY:
        raise BadHours(f"{text!r} are no hours: the whole day is 00:00-24:00")
    minutes = (end - begin) % _MINUTES_OF_A_DAY or _MINUTES_OF_A_DAY
    parts = days.split(",") if days else [f"{_DAYS[0]}-{_DAYS[-1]}"]
    return frozenset(number for part in parts for number in _run_of(part)), begin, minutes


def _run_of(part: str) -> list[int]:
    """The days from one to another, round the end of the week if need be."""
    first, _, last = part.partition("-")
    begin = _DAYS.index(first)
    length = (_DAYS.index(last or first) - begin) % len(_DAYS) + 1
    return [(begin + step) % len(_DAYS) for step in range(length)]
