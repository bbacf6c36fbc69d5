"""`guard.json`: what the guard decided, for the owner to read while the agent runs, and after it has ended.

It is replaced whole at every change and not synced: after a power cut the agent writes it anew.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from parkade_api.wellknown import Reason
from parkade_core.vehicle.explain import lines
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import Cause, GuardState

_OLD_SECONDS: Final = 60.0  # the keeper writes every few


@dataclass(frozen=True, slots=True)
class View:
    """What is shown. `at` is in Unix seconds; `lines` are what a person reads, `causes` the same for machines.

    `owner` is the folder whose word the agent follows, `pause` the stamp of the owner's pause when the guard has acted
    on it, else 0.
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
    pause: int = 0


def view_of(vehicle: str, state: GuardState, own: OwnFacts, owner: str, pause: int, now: float) -> View:
    """What the owner is shown of the guard's decision; *now* is in Unix seconds, *pause* the stamp of the pause."""
    return View(
        vehicle=vehicle,
        at=now,
        state=state.action,
        may_start=state.may_start,
        lanes=own.lanes if state.lanes is None else state.lanes,
        energy_wh_today=round(own.energy_wh_today, 6),
        lines=lines(state, own),
        causes=tuple(_shown(cause) for cause in state.causes),
        owner=owner,
        pause=pause if _has_stopped(state) else 0,
    )


def is_old(view: View, now: float) -> bool:
    """Whether the agent must have written it anew by *now*, in Unix seconds: it hangs, or its disk is full.

    One from the future is old, too: nobody knows when a clock that was wrong wrote it.
    """
    return abs(now - view.at) > _OLD_SECONDS


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


def _has_stopped(state: GuardState) -> bool:
    """Whether the owner's pause is among the reasons, or there are no rules, under which nothing runs anyhow."""
    return not state.has_rules or any(cause.reason is Reason.OWNER_PAUSED for cause in state.causes)


def _shown(cause: Cause) -> Mapping[str, str]:
    return {name: str(value) for name, value in asdict(cause).items()}
