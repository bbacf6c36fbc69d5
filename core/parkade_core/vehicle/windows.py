"""Times of day in which work is allowed or denied: what the pool's windows, the owner's hours and consent's hours say.

A window opens at each moment of its cron schedule (five fields, as cron(8) of Debian reads them) and closes after its
duration: in the zone that it names, or else by the vehicle's clock, where 22:00-06:00 ends when that shows six, also in
the nights when it is put forward or back. Where windows allow, one of them must be open; none that denies may be.
Zones are those of the IANA database, a table that is read once and asked for nothing but what a moment is called there.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.rules import Window
from parkade_core.vehicle.verdict import span

_SECOND: Final = timedelta(seconds=1)
_ANY_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_NO_ZONE = (ZoneInfoNotFoundError, ValueError, OSError)  # OSError: Europe is a folder of the database
_UNREADABLE = (*_NO_ZONE, CronSimError, OverflowError, StopIteration)


def problem_of(window: Window) -> str | None:
    """Why nobody can tell when *window* is open; None when everybody can."""
    try:
        ZoneInfo(window.time_zone or "UTC")
    except _NO_ZONE:
        return f"{window.time_zone} is no time zone that is known here"
    try:
        CronSim(window.schedule, _ANY_DAY)
    except CronSimError as error:
        return f"schedule {window.schedule!r} cannot be read ({error})"
    return None


def of_pool(facts: Facts, own: OwnFacts) -> Objection | None:
    """The pool's windows let what runs finish."""
    return _objection(facts.rules.windows, own.wall, "pool", stops=False)


def of_owner(facts: Facts, own: OwnFacts) -> Objection | None:
    """The owner's hours, in the limits and in a consent that the pool asked for, end what runs."""
    agreed = own.consent.hours if own.consent is not None and facts.rules.consent is not None else ()
    return _objection(own.limits.hours, own.wall, "owner", stops=True) or _objection(
        agreed, own.wall, "consent", stops=True
    )


def _objection(
    windows: tuple[Window, ...], wall: datetime | None, whose: str, *, stops: bool
) -> Objection | None:
    """What only the vehicle may know stays in it: the hour there, and when the owner's hours begin."""
    if not windows:
        return None
    if wall is None:
        words = f"the time of day is not known, and the {whose} allows certain hours only"
        return Objection(Reason.OUTSIDE_WINDOW, words, "wait until the clock is set", stops)
    minute = wall.replace(second=0, microsecond=0)
    closed = [window for window in windows if not window.allows and _left(window, minute) > 0]
    allowing = [window for window in windows if window.allows]
    if closed:
        wait = max(_left(window, minute) for window in closed)
    elif allowing and not any(_left(window, minute) > 0 for window in allowing):
        wait = min(_until(window, minute) for window in allowing)
    else:
        return None
    outward = f"work is outside the hours that the {whose} allows"
    unreadable = filter(None, map(problem_of, windows))
    correct = "; ".join((f"correct the hours of the {whose}", *unreadable))
    remedy = f"wait {span(wait)}" if wait < float("inf") else correct
    return Objection(Reason.OUTSIDE_WINDOW, f"at {wall:%a %H:%M} {outward}", remedy, stops, outward)


def _left(window: Window, minute: datetime) -> float:
    """Seconds that *window* stays open at *minute*; 0 when it is closed. One that cannot be read never allows work."""
    try:
        opened = next(CronSim(window.schedule, _at(window, minute) + _SECOND, reverse=True))
        return max(0.0, window.duration - _passed(window, opened, minute))
    except _UNREADABLE:
        return 0.0 if window.allows else float("inf")


def _passed(window: Window, opened: datetime, minute: datetime) -> float:
    """Seconds since *opened*: those that passed where *window* names a zone, else those that the clock shows."""
    if window.time_zone:
        return minute.timestamp() - opened.timestamp()
    return (minute.replace(tzinfo=None) - opened.replace(tzinfo=None)).total_seconds()


def _until(window: Window, minute: datetime) -> float:
    """Seconds until *window* opens next; infinite when it never does."""
    try:
        return next(CronSim(window.schedule, _at(window, minute))).timestamp() - minute.timestamp()
    except _UNREADABLE:
        return float("inf")


def _at(window: Window, minute: datetime) -> datetime:
    """*minute* in the zone of *window*, which is the vehicle's own when it names none."""
    return minute.astimezone(ZoneInfo(window.time_zone)) if window.time_zone else minute
