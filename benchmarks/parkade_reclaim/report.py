"""The figures of a run: a section of docs/reclaim.md, and one JSON object."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from parkade_bench.document import table
from parkade_bench.spread import percentile
from parkade_reclaim.idle import Idle
from parkade_reclaim.interference import Probe
from parkade_reclaim.stops import Stop
from support.vehicles import POLICY

_MEGABYTE: Final = 1e6
_TAIL: Final = 0.99
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """All that one run measured."""

    stops: Sequence[Stop]
    died: Sequence[float]
    alone: Sequence[Probe]
    beside: Sequence[Probe]
    bombed: Probe
    bomb_seconds: float
    idle: Idle


def figures(found: Found) -> dict[str, Any]:
    """The promised figures, and those that explain them."""
    frozen, freed = [stop.frozen for stop in found.stops], [stop.freed for stop in found.stops]
    return {
        "stops": len(found.stops),
        "frozen_p50_ms": _round(percentile(frozen, _HALF)),
        "frozen_p99_ms": _round(percentile(frozen, _TAIL)),
        "frozen_max_ms": _round(max(frozen)),
        "memory_free_p99_ms": _round(percentile(freed, _TAIL)),
        "memory_free_max_ms": _round(max(freed)),
        "memory_back_share": _round(statistics.median(stop.back / stop.resident for stop in found.stops)),
        "agents_killed": len(found.died),
        "agent_killed_children_dead_p99_ms": _round(percentile(found.died, _TAIL)),
        "agent_killed_children_dead_max_ms": _round(max(found.died)),
        "wakeup_p50_ratio": _round(_middle("p50_us", found.beside) / _middle("p50_us", found.alone)),
        "wakeup_p50_more_us": _round(_middle("p50_us", found.beside) - _middle("p50_us", found.alone)),
        "wakeup_p99_ratio": _round(_middle("p99_us", found.beside) / _middle("p99_us", found.alone)),
        "bomb_probe_memory_change_mb": _round(_change(found.bombed) / _MEGABYTE),
        "bomb_dead_s": _round(found.bomb_seconds),
        "idle_core_percent": _round(found.idle.core_percent),
        "idle_resident_mb": _round(found.idle.resident / _MEGABYTE),
        "idle_own_mb": _round(found.idle.own / _MEGABYTE),
    }


def section(found: Found) -> str:
    """The tables of the page."""
    return "\n".join((_stops(found), _timing(found), _memory_and_rest(found)))


def _stops(found: Found) -> str:
    rows = [
        _row("nothing computes", [stop.frozen for stop in found.stops]),
        _row("every process is dead", [stop.dead for stop in found.stops]),
        _row("dead and its memory free", [stop.freed for stop in found.stops]),
        _row("children dead after the agent's SIGKILL", found.died),
    ]
    grace = POLICY.driver_return_grace_seconds
    words = (
        f"Milliseconds from the signal, with a grace of {grace:g} s between freeze and kill; {len(found.stops)} returns"
        f" of the driver, the gateway unreachable, and {len(found.died)} kills of the agent, every second one of a"
        " frozen slot.\n\n"
    )
    return words + table(("until", "p50 ms", "p99 ms", "worst ms"), rows)


def _row(name: str, milliseconds: Sequence[float]) -> tuple[str, ...]:
    middle, tail = percentile(milliseconds, _HALF), percentile(milliseconds, _TAIL)
    return name, f"{middle:.1f}", f"{tail:.1f}", f"{max(milliseconds):.1f}"


def _timing(found: Found) -> str:
    names = ("p50_us", "p99_us", "worst_us", "run_delay_ms_per_second")
    rows = [
        (who, *(f"{_middle(name, probes):.0f}" for name in names[:3]), f"{_middle(names[3], probes):.1f}")
        for who, probes in (("alone", found.alone), ("beside the slot", found.beside))
    ]
    words = (
        "How late a task of ordinary priority wakes up that sleeps for a millisecond at a time; the middle of "
        f"{len(found.alone)} turns.\n\n"
    )
    return words + table(("the probe", "p50 us", "p99 us", "worst us", "waits for a core, ms a second"), rows)


def _memory_and_rest(found: Found) -> str:
    change, idle = _change(found.bombed) / _MEGABYTE, found.idle
    return (
        f"Beside a memory bomb the probe's memory changed by {change:.1f} MB, and the bomb was dead after"
        f" {found.bomb_seconds:.1f} s. An agent without a slot takes {idle.core_percent:.2f} % of a core and"
        f" {idle.resident / _MEGABYTE:.0f} MB, of which {idle.own / _MEGABYTE:.0f} MB are its own and the rest are"
        " pages of libraries.\n"
    )


def _middle(name: str, probes: Sequence[Probe]) -> float:
    return statistics.median(probe[name] for probe in probes)


def _change(probe: Probe) -> float:
    return probe["resident_lost_bytes"] + probe["swapped_bytes"]


def _round(value: float) -> float:
    return round(value, 3)
