"""The guard's decision in lines that a vehicle's owner reads: what it does, why, and what would change that."""

from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import Action, Cause, GuardState
from parkade_core.vehicle.usage import shown_energy
from parkade_core.vehicle.verdict import advised

_HEADLINES = {
    Action.FREEZE: "Stopped: work is frozen and ends in a moment.",
    Action.KILL: "Stopped: no work is left in the vehicle.",
}


def lines(state: GuardState, own: OwnFacts) -> tuple[str, ...]:
    """The state in one line, each cause in order with its remedy, whose rules, lanes and the energy of the day."""
    causes = (f"{number}. {_sentence(cause)}" for number, cause in enumerate(state.causes, start=1))
    rules = (f"Rules: {state.rules}.",) if state.rules else ()
    return (_headline(state), *causes, *rules, _lanes(state, own), _energy(own))


def _headline(state: GuardState) -> str:
    if state.may_start:
        return "Ready: work may start and run."
    return _HEADLINES.get(state.action, "Not earning: nothing new starts, what runs may finish.")


def _sentence(cause: Cause) -> str:
    return f"{cause.condition} ({cause.reason}): {advised(cause.message, cause.remedy)}."


def _lanes(state: GuardState, own: OwnFacts) -> str:
    because = f": {state.throttle.because}" if state.throttle and state.throttle.because else ""
    return f"Lanes: {own.lanes if state.lanes is None else state.lanes} of {own.lanes}{because}."


def _energy(own: OwnFacts) -> str:
    return f"Energy used for work today: {shown_energy(own.energy_wh_today)}."
