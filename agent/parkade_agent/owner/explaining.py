"""What the owner sees: why the vehicle earns or not, how things stand, and what a pool asks."""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

import orjson

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.attempts import Fate, Kept
from parkade_agent.owner.desk import Desk
from parkade_agent.owner.files import OwnerWord
from parkade_agent.owner.presence import is_running
from parkade_agent.owner.view import View, is_old, read_view
from parkade_api.wellknown import Condition
from parkade_core.vehicle.usage import shown_energy
from parkade_core.vehicle.verdict import span

_MOST_FINISHED: Final = 1000
_FATES: Final = {
    Fate.COMMITTED: "accepted",
    Fate.LOST: "lost to a vehicle that was first",
    Fate.REFUSED: "refused",
    Fate.RETURNED: "given up",
    Fate.FINISHED: "not answered yet",
}


def explain(desk: Desk, asked: argparse.Namespace) -> str:
    """Why the vehicle earns or not, in order, what would change it, and what became of its work."""
    view, runs = read_view(desk.places.guard_view), is_running(desk.places.state_dir)
    finished = _finished(desk)
    if asked.output == "json":
        guard = None if view is None else asdict(view)
        records = None if finished is None else _records(finished)
        return _json({"running": runs, "guard": guard, "records": records})
    if view is None:
        return "The agent runs and has decided nothing yet." if runs else "No agent has run here yet."
    return "\n".join((*_heading(view, time.time(), runs=runs), *view.lines, _work(finished)))


def status(desk: Desk, asked: argparse.Namespace) -> str:
    """How agent, consent and limits stand."""
    view, runs = read_view(desk.places.guard_view), is_running(desk.places.state_dir)
    word = desk.files.read()
    rows = {
        "vehicle": desk.vehicle,
        "agent": "runs" if runs else "does not run",
        "work": "may start" if runs and view is not None and view.may_start else "may not start",
        "energy today": "unknown" if view is None else shown_energy(view.energy_wh_today),
        "consent": _consent(word),
        "pause": word.paused_because or "none",
        "owner's files": word.problem or "good",
        "question": open_question(desk) or "none",
    }
    if asked.output == "json":
        return _json(rows)
    return "\n".join(f"{name:14} {words}" for name, words in rows.items())


def open_question(desk: Desk) -> str:
    """What a pool asks of the owner and the owner has not answered, with the command that would; empty when nothing."""
    view = read_view(desk.places.guard_view)
    causes = view.causes if view is not None else ()
    asked = (cause for cause in causes if cause["condition"] == Condition.CONSENT_CURRENT)
    return next((f"{cause['message']}: {cause['remedy']}" for cause in asked), "")


def _finished(desk: Desk) -> Sequence[Kept] | None:
    """The attempts that were finished last; None when the journal cannot be read."""
    if not desk.places.journal.exists():
        return ()
    try:
        return desk.journal.attempts.finished(_MOST_FINISHED)
    except JournalBroken:
        return None


def _records(finished: Sequence[Kept]) -> Mapping[str, int]:
    """Records by what became of them."""
    counts = dict.fromkeys(map(str, _FATES), 0)
    for kept in finished:
        counts[kept.fate] += 0 if kept.outcome is None else kept.outcome.succeeded + kept.outcome.failed
    return counts


def _work(finished: Sequence[Kept] | None) -> str:
    if finished is None:
        return "What became of its work is not known: the journal cannot be read."
    if not finished:
        return "No work was finished here yet."
    records = _records(finished)
    fates = ", ".join(f"{records[fate]} {words}" for fate, words in _FATES.items() if records[fate])
    return f"Shards finished last: {len(finished)}, with {sum(records.values())} records: {fates}."


def _heading(view: View, now: float, *, runs: bool) -> tuple[str, ...]:
    """Whose word this is, and of when, where that matters."""
    vehicle = f"Vehicle {view.vehicle}"
    when = f"{datetime.fromtimestamp(view.at).astimezone():%Y-%m-%d %H:%M}"
    if not runs:
        return (f"{vehicle}: the agent does not run, so nothing is computed. At {when} it said:",)
    if is_old(view, now):
        return (f"{vehicle}: the agent has said nothing for {span(abs(now - view.at))}. At {when} it said:",)
    return (f"{vehicle}:",)


def _consent(word: OwnerWord) -> str:
    if word.consent is None:
        return word.no_consent_because
    if word.consent.revoked:
        return f"number {word.consent.number}: revoked"
    scopes = ", ".join(sorted(word.consent.scopes))
    until = f"{datetime.fromtimestamp(word.consent.expires_at).astimezone():%Y-%m-%d}"
    return f"number {word.consent.number}: terms {word.consent.terms_version}, {scopes}, until {until}"


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
