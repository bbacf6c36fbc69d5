"""`guard.json`: what the guard decided, for the owner to read while the agent runs, and after it has ended.

It is replaced whole at every change and not synced: after a power cut the agent writes it anew.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from parkade_core.vehicle.explain import lines
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import Cause, GuardState


@dataclass(frozen=True, slots=True)
class View:
    """What is shown. `at` is in Unix seconds; `lines` are what a person reads, `causes` the same for machines.

    `owner` is the folder whose word the agent follows.
    """

    vehicle: str
    at: float
    state: str
    may_start: bool
    lanes: int
    energy_wh_today: float
    lines: tuple[str, ...]
    causes: tuple[Mapping[str, str], ...]
    owner: str = ""


def view_of(vehicle: str, state: GuardState, own: OwnFacts, owner: Path, now: float) -> View:
    """What the owner is shown of the guard's decision; *now* is in Unix seconds."""
    return View(
        vehicle=vehicle,
        at=now,
        state=state.action,
        may_start=state.may_start,
        lanes=own.lanes if state.lanes is None else state.lanes,
        energy_wh_today=round(own.energy_wh_today, 3),
        lines=lines(state, own),
        causes=tuple(_shown(cause) for cause in state.causes),
        owner=str(owner.resolve()),
    )


def write_view(path: Path, view: View) -> None:
    """Replaces the file. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(orjson.dumps(asdict(view), option=orjson.OPT_INDENT_2))
    part.replace(path)


def read_view(path: Path) -> View | None:
    """What was shown last; None when there is nothing, or nothing of this version. Raises OSError."""
    try:
        found: Any = orjson.loads(path.read_bytes())
        return View(**{**found, "lines": tuple(found["lines"]), "causes": tuple(found["causes"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _shown(cause: Cause) -> Mapping[str, str]:
    return {name: str(value) for name, value in asdict(cause).items()}
