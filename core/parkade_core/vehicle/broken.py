"""A vehicle that has broken down: whoever repairs or tows it needs its power and its computer."""

from parkade_api import vss
from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.readings import flag, why_missing


def objection(facts: Facts, _own: OwnFacts) -> Objection | None:
    """Whether the vehicle says that it broke down. One that never says so works; one that fell silent takes no more."""
    path, stale_after = vss.IS_BROKEN_DOWN, facts.rules.telemetry_stale_after
    if path not in facts.readings:
        return None
    if words := why_missing(facts.readings, path, stale_after):
        return Objection(Reason.UNKNOWN, words, "wait for the signal")
    if not flag(facts.readings, path, stale_after):
        return None
    return Objection(Reason.BROKEN_DOWN, "IsBrokenDown is true", "have the vehicle repaired", stops=True)
