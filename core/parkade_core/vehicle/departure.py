"""The next departure, as the owner planned it at the charger: quiet before it, stopped when it comes.

The plan is VSS' charging timer in the mode END_TIME: charged by that moment, which is when the owner leaves.
"""

from datetime import UTC, datetime
from typing import Final

from parkade_api import vss
from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.readings import text, why_missing
from parkade_core.vehicle.verdict import span

STOP_BEFORE: Final = 120.0
"""Seconds before the departure when work is stopped: memory and heat are back before the owner sits down."""
OVER_AFTER: Final = 3600.0
"""Seconds after which a departure that did not happen is no plan any more."""
_UNREADABLE: Final = "the owner's plan cannot be read, so the departure may be near"


def objection(facts: Facts, own: OwnFacts) -> Objection | None:
    """Whether the owner leaves soon. A vehicle without a timer has no plan; a plan that cannot be read is near.

    When the owner leaves is for the owner alone to read.
    """
    if not facts.rules.respect_schedule or not _is_planned(facts):
        return None
    departure = _departure(facts)
    if isinstance(departure, str):
        return Objection(Reason.DEPARTURE_NEAR, departure, "wait for the signal", outward=_UNREADABLE)
    if own.wall is None:
        words = "the time of day is not known, and a departure is planned"
        return Objection(Reason.DEPARTURE_NEAR, words, "wait until the clock is set", stops=True)
    left = departure.timestamp() - own.wall.timestamp()
    if not -OVER_AFTER < left <= max(STOP_BEFORE, facts.rules.quiet_before):
        return None
    when = f"{departure.astimezone(own.wall.tzinfo):%H:%M}"
    words = f"the owner leaves at {when}, {f'in {span(left)}' if left > 0 else 'now'}"
    remedy = "wait until the vehicle is back, or move the departure"
    return Objection(Reason.DEPARTURE_NEAR, words, remedy, left <= STOP_BEFORE, "the owner leaves soon")


def _is_planned(facts: Facts) -> bool:
    if vss.TIMER_MODE not in facts.readings:
        return vss.TIMER_TIME in facts.readings
    return text(facts.readings, vss.TIMER_MODE, facts.rules.telemetry_stale_after) in {None, "END_TIME"}


def _departure(facts: Facts) -> datetime | str:
    """The moment of departure, or why it is not known."""
    stale_after = facts.rules.telemetry_stale_after
    for path in (vss.TIMER_MODE, vss.TIMER_TIME):
        if path in facts.readings and (words := why_missing(facts.readings, path, stale_after)):
            return words
    said = text(facts.readings, vss.TIMER_TIME, stale_after)
    try:
        moment = datetime.fromisoformat(said or "")
    except ValueError:
        return "the charging timer tells no time of departure"
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
