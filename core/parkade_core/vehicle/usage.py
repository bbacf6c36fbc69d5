"""What work used of a day's energy, in watt-hours; the day is the vehicle's own, by its own clock."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

_ZONES_APART: Final = timedelta(days=1)  # a vehicle that changes its time zone goes back by a day at most


@dataclass(frozen=True, slots=True)
class Usage:
    """`day` is a date such as 2026-11-22, empty while no clock could be believed; `wh` is what was used on it."""

    day: str = ""
    wh: float = 0.0


def used(before: Usage, wh: float, today: str) -> Usage:
    """*before* and *wh* more. A clock that is not believed (*today* is empty), or goes back, never begins a day.

    A day that no time zone explains was a wrong clock's: what was used counts for today, and the right day goes on.
    """
    if before.day and today > before.day:
        return Usage(today, wh)
    is_wrong = before.day and today and _date(before.day) - _date(today) > _ZONES_APART
    return Usage(today if is_wrong else max(today, before.day), before.wh + wh)


def watt_hours(
    seconds: float, cpu_seconds: float, watts: float | None, watts_per_core: float, last_watts: float = 0.0
) -> float:
    """What work used in *seconds* in which it took *cpu_seconds*.

    Where the platform measures *watts*, all of them count while work runs: more than is its part, and never less.
    While it does not, work counts by *watts_per_core*, and not for less than the *last_watts* that were measured.
    """
    if cpu_seconds <= 0:
        return 0.0
    reckoned = max(watts_per_core * cpu_seconds, last_watts * seconds)
    return (watts * seconds if watts is not None else reckoned) / 3600


def shown_energy(wh: float) -> str:
    """Energy as people read it: three digits that count, in mWh below one watt-hour."""
    if wh == 0:
        return "0 Wh"
    amount, unit = (wh, "Wh") if wh >= 1 else (wh * 1000, "mWh")
    decimals = next((few for few, least in enumerate((100, 10)) if amount >= least), 2)
    return f"{amount:.{decimals}f} {unit}"


def noted(usage: Usage) -> str:
    """*usage* as a line to remember."""
    return f"{usage.day or '-'} {usage.wh:.6f}"


def recalled(line: str | None) -> Usage:
    """What was remembered; None before the first day. Raises ValueError for what `noted` does not write."""
    if line is None:
        return Usage()
    day, wh = line.split()
    return Usage("" if day == "-" else _date(day).isoformat(), float(wh))


def _date(day: str) -> date:
    return date.fromisoformat(day)
