"""How much longer a build takes, from the seconds measured once and those that this machine needed so far."""

from collections.abc import Sequence

from parkade_hack.tools.catalogue import Tool

SECONDS_PER_MINUTE = 60


def seconds_left(
    done: Sequence[tuple[Tool, float]], current: Tool, elapsed: float, rest: Sequence[Tool]
) -> float:
    """Seconds until *rest* is built too: the catalogue's figures, scaled by what *done* took here."""
    expected = sum(tool.seconds for tool, _ in done)
    pace = sum(seconds for _, seconds in done) / expected if expected else 1.0
    current_left = max(current.seconds * pace - elapsed, 0.0)
    return current_left + pace * sum(tool.seconds for tool in rest)


def in_words(seconds: float) -> str:
    """A duration as people say it: "about 6 min left"."""
    if seconds >= 1.5 * SECONDS_PER_MINUTE:
        return f"about {round(seconds / SECONDS_PER_MINUTE)} min left"
    if seconds >= SECONDS_PER_MINUTE / 2:
        return "about 1 min left"
    return "less than a minute left"
