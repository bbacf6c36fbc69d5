"""What was promised of a reclaim, and which of it a run did not hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Promise:
    """The most that a figure may be, in the unit that its name ends with."""

    figure: str
    most: float
    words: str


_PROMISES: Final = (
    Promise("frozen_p99_ms", 100, "milliseconds until nothing computes, of 99 in 100 returns of the driver"),
    Promise("memory_free_max_ms", 1000, "milliseconds until all is dead and its memory free"),
    Promise(
        "agent_killed_children_dead_max_ms", 1000, "milliseconds that children outlive their killed agent"
    ),
    Promise("bomb_probe_memory_change_mb", 5, "megabytes of the owner's task beside a memory bomb"),
    Promise("bomb_dead_s", 5, "seconds that a memory bomb lives"),
    Promise("idle_core_percent", 1, "percent of a core that an agent at rest takes"),
    Promise("idle_resident_mb", 60, "megabytes of an agent at rest"),
)
_MOST_RATIO: Final = 2.0
_MOST_MORE_US: Final = 1000


def broken_promises(figures: Mapping[str, Any]) -> list[str]:
    """What the *figures* of a run do not hold, as sentences."""
    broken = [
        f"{promise.words}: {figures[promise.figure]:g}, promised at most {promise.most:g}"
        for promise in _PROMISES
        if figures[promise.figure] > promise.most
    ]
    ratio, more = figures["wakeup_p50_ratio"], figures["wakeup_p50_more_us"]
    if ratio > _MOST_RATIO and more > _MOST_MORE_US:
        broken.append(
            f"a task of the owner's wakes up {ratio:g} times as late beside work, {more:g} us later: promised at"
            f" most {_MOST_RATIO:g} times or {_MOST_MORE_US} us"
        )
    return broken
