"""What the owner sees: why the vehicle earns or not, how things stand, and what a pool asks."""

import argparse
import time
from dataclasses import asdict
from datetime import datetime
from typing import Final

import orjson

from parkade_agent.owner.desk import Desk
from parkade_agent.owner.files import OwnerWord
from parkade_agent.owner.presence import is_running
from parkade_agent.owner.view import View, read_view
from parkade_api.wellknown import Condition
from parkade_core.vehicle.verdict import span

# The keeper writes every few seconds; an agent that is older than this hangs, or its disk is full.
OLD_SECONDS: Final = 60.0


def explain(desk: Desk, asked: argparse.Namespace) -> str:
    """Why the vehicle earns or not, in order, and what would change it."""
    view, runs = read_view(desk.places.guard_view), is_running(desk.places.state_dir)
    if asked.output == "json":
        return _json({"running": runs, "guard": None if view is None else asdict(view)})
    if view is None:
        return "The agent runs and has decided nothing yet." if runs else "No agent has run here yet."
    return "\n".join((*_heading(view, time.time(), runs=runs), *view.lines))


def status(desk: Desk, asked: argparse.Namespace) -> str:
    """How agent, consent and limits stand."""
    view, runs = read_view(desk.places.guard_view), is_running(desk.places.state_dir)
    word = desk.files.read()
    rows = {
        "vehicle": desk.vehicle,
        "agent": "runs" if runs else "does not run",
        "work": "may start" if runs and view is not None and view.may_start else "may not start",
        "energy today": f"{view.energy_wh_today:.1f} Wh" if view is not None else "unknown",
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


def _heading(view: View, now: float, *, runs: bool) -> tuple[str, ...]:
    """Whose word this is, and of when, where that matters."""
    vehicle, age = f"Vehicle {view.vehicle}", max(0.0, now - view.at)
    when = f"{datetime.fromtimestamp(view.at).astimezone():%Y-%m-%d %H:%M}"
    if not runs:
        return (f"{vehicle}: the agent does not run, so nothing is computed. At {when} it said:",)
    if age > OLD_SECONDS:
        return (f"{vehicle}: the agent has said nothing for {span(age)}. At {when} it said:",)
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
