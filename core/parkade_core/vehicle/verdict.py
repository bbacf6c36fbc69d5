"""A verdict: does one condition hold, why not, which taint effect follows, and how it is kept from flapping.

Every condition has a file of its own beside this one, with a function `judge`; assess and guard share them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from parkade_api.wellknown import Condition, Effect, Reason

# Closing never waits, so only a minute between a closing and the next opening keeps changes to two a minute.
MINIMUM_HOLD = 60.0

SEVERITY: Final[Mapping[Effect | None, int]] = {
    None: 0,
    Effect.PREFER_NO_SCHEDULE: 1,
    Effect.NO_SCHEDULE: 2,
    Effect.NO_EXECUTE: 3,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one condition. Times are absolute, on the clock of `now`, in seconds.

    `effect` is that of the taint, None for no taint. `latched` means that the exit threshold was crossed and
    the entry threshold is not reached yet. `clear_since` is when the signals last became good, `blind_since` when
    one that is needed went missing, `changed_at` when `effect` last changed, `recheck_at` when time alone may change
    the verdict. `remedy` is what would change it, as a person can do it.
    """

    condition: Condition
    holds: bool
    reason: Reason | None
    message: str
    effect: Effect | None = None
    latched: bool = False
    clear_since: float | None = None
    blind_since: float | None = None
    changed_at: float | None = None
    recheck_at: float | None = None
    remedy: str = ""

    @property
    def is_blank(self) -> bool:
        """True while nothing is known at all: neither good nor bad."""
        return not self.holds and self.effect is None


def advised(message: str, remedy: str) -> str:
    """A sentence and what would change it, as one line without the last full stop."""
    return f"{message}. {remedy[0].upper()}{remedy[1:]}" if remedy else message


def blank(condition: Condition, message: str, previous: Verdict | None = None) -> Verdict:
    """The verdict while readings or rules are missing; keeps what *previous* remembers."""
    if previous is None:
        return Verdict(condition, holds=False, reason=Reason.UNKNOWN, message=message)
    return replace(
        previous,
        holds=False,
        reason=Reason.UNKNOWN,
        message=message,
        effect=None,
        clear_since=None,
        blind_since=None,
        recheck_at=None,
        remedy="",
    )


def blind(
    condition: Condition, why: str, previous: Verdict | None, now: float, patience: float, *, at_once: bool
) -> Verdict:
    """The verdict while a signal is missing: no new work, and after *patience* seconds, or *at_once*, none at all.

    What was opened less than *patience* ago stops at once: in two steps it would be a third change within a minute.
    """
    since = now if previous is None or previous.blind_since is None else previous.blind_since
    stops = at_once or now >= since + patience or _is_young(previous, now, patience)
    return Verdict(
        condition,
        holds=False,
        reason=Reason.UNKNOWN,
        message=why,
        effect=Effect.NO_EXECUTE if stops else Effect.NO_SCHEDULE,
        blind_since=since,
        recheck_at=None if stops else since + patience,
        remedy="wait for the signal",
    )


def _is_young(previous: Verdict | None, now: float, patience: float) -> bool:
    """Whether it was opened lately, or was stopped for that when it went blind."""
    if previous is None or previous.changed_at is None:
        return False
    if previous.effect is Effect.NO_EXECUTE:
        return previous.blind_since is not None
    return previous.effect is None and now < previous.changed_at + patience


def settle(
    judged: Verdict, previous: Verdict | None, now: float, hold: float, waits_as: Reason | None = None
) -> Verdict:
    """Lets *judged* pass when it closes, and after *hold* seconds without a change when it opens.

    While it waits, the previous effect stays, with the reason *waits_as* or the previous one.
    """
    if previous is None or judged.effect == previous.effect:
        changed_at = previous.changed_at if previous else None
        return judged if judged.changed_at == changed_at else replace(judged, changed_at=changed_at)
    closes = SEVERITY[judged.effect] > max(SEVERITY[previous.effect], SEVERITY[Effect.PREFER_NO_SCHEDULE])
    opens_at = now if previous.changed_at is None else previous.changed_at + hold
    if closes or now >= opens_at:
        return replace(judged, changed_at=now)
    return replace(
        judged,
        holds=previous.holds,
        effect=previous.effect,
        reason=None if previous.holds else judged.reason or waits_as or previous.reason,
        message=f"{judged.message}; kept for {opens_at - now:.0f} s more against flapping",
        changed_at=previous.changed_at,
        recheck_at=earliest((judged.recheck_at, opens_at)),
        remedy=judged.remedy or f"wait {span(opens_at - now)}",
    )


def span(seconds: float) -> str:
    """A length of time as people say it, rounded up: 40 s, 4 min, 3 h."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds > 2 * size:
            return f"{ceil(seconds / size)} {unit}"
    return f"{ceil(max(0.0, seconds))} s"


def earliest(times: Iterable[float | None]) -> float | None:
    """The first of *times* that is set, or None."""
    return min((time for time in times if time is not None), default=None)
