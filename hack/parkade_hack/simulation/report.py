"""What `make sim` says at its end: a table for people, and one line of JSON."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from parkade_hack.simulation.tally import Tally

_ROWS: Final[tuple[tuple[str, Callable[[Tally], str]], ...]] = (
    ("steps of one minute", lambda tally: f"{tally.steps:,}"),
    ("  parked", lambda tally: f"{tally.parked:,}"),
    ("  that the clairvoyant could use", lambda tally: f"{tally.usable:,}"),
    ("  used", lambda tally: f"{tally.used:,}"),
    ("  used, of those the clairvoyant could", lambda tally: f"{tally.share:.1%}"),
    ("  the same of lanes times minutes", lambda tally: f"{tally.lane_share:.1%}"),
    ("computing beyond a limit of heat or cold", lambda tally: f"{tally.beyond_limits}"),
    ("computing under the reserve", lambda tally: f"{tally.under_reserve}"),
    ("computing without consent", lambda tally: f"{tally.without_consent}"),
    ("computing while somebody drives", lambda tally: f"{tally.while_driving}"),
    ("most changes of one verdict in a minute", lambda tally: f"{tally.most_changes_a_minute}"),
    ("farthest beyond a limit at the end of a step, C", lambda tally: f"{tally.highest_beyond_celsius:.1f}"),
    ("decisions of the guard", lambda tally: f"{tally.decisions:,}"),
    ("energy computed with, kWh", lambda tally: f"{tally.compute_kwh:,.0f}"),
    ("its price on the day-ahead market, EUR", lambda tally: f"{tally.euros:,.0f}"),
)
_FORBIDDEN: Final = ("beyond_limits", "under_reserve", "without_consent", "while_driving")
LEAST_SHARE: Final = 0.9
MOST_CHANGES: Final = 2


def table(tallies: Mapping[str, Tally]) -> str:
    """One column for each run."""
    width = max(len(words) for words, _ in _ROWS)
    lines = [" " * width + "".join(f"{name:>24}" for name in tallies)]
    for words, shown in _ROWS:
        lines.append(f"{words:<{width}}" + "".join(f"{shown(tally):>24}" for tally in tallies.values()))
    return "\n".join(lines)


def figures(tallies: Mapping[str, Tally], seconds: float) -> str:
    """All that is promised, as one JSON object."""
    found: dict[str, float | int] = {"seconds": round(seconds)}
    for name, tally in tallies.items():
        found |= {f"{name}_{forbidden}": getattr(tally, forbidden) for forbidden in _FORBIDDEN}
        found |= {
            f"{name}_steps": tally.steps,
            f"{name}_used_share": round(tally.share, 4),
            f"{name}_lane_share": round(tally.lane_share, 4),
            f"{name}_most_changes_a_minute": tally.most_changes_a_minute,
        }
    return json.dumps(found)


def broken_promises(tallies: Mapping[str, Tally]) -> list[str]:
    """What was promised and not held, as sentences."""
    broken = list[str]()
    for name, tally in tallies.items():
        broken += [
            f"{name}: {steps} steps computed {forbidden.replace('_', ' ')}"
            for forbidden in _FORBIDDEN
            if (steps := getattr(tally, forbidden))
        ]
        if tally.share < LEAST_SHARE:
            broken.append(
                f"{name}: {tally.share:.1%} of the usable steps were used, less than {LEAST_SHARE:.0%}"
            )
        if tally.most_changes_a_minute > MOST_CHANGES:
            broken.append(f"{name}: a verdict changed {tally.most_changes_a_minute} times within a minute")
    return broken
