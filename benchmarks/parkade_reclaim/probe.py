"""A task of the owner's: wakes up every millisecond and notes how late. `python -m parkade_reclaim.probe SECONDS`.

It holds memory of its own, as the owner's tasks do. Prints one JSON object: the delays' percentiles, the time that it
was ready and had to wait for a core (the second number of /proc/self/schedstat), and how its memory changed.
"""

import json
import sys
import time
from pathlib import Path
from typing import Final

PERIOD_SECONDS: Final = 0.001
_HELD_BYTES: Final = 64 << 20
_LOOK_EVERY: Final = 100
_KIBIBYTE: Final = 1024


def probe(seconds: float) -> dict[str, float]:
    """Measures for that long."""
    held = bytearray(b"\1") * _HELD_BYTES
    delays, memory = list[float](), [_memory()]
    waited, begun = _run_delay(), time.monotonic()
    while (slept_at := time.perf_counter()) and time.monotonic() - begun < seconds:
        time.sleep(PERIOD_SECONDS)
        delays.append(time.perf_counter() - slept_at - PERIOD_SECONDS)
        if len(delays) % _LOOK_EVERY == 0:
            memory.append(_memory())
    delays.sort()
    residents, swaps = zip(*memory, strict=True)
    return {
        "wakeups": len(delays),
        "p50_us": 1e6 * delays[len(delays) // 2],
        "p99_us": 1e6 * delays[len(delays) * 99 // 100],
        "worst_us": 1e6 * delays[-1],
        "run_delay_ms_per_second": (_run_delay() - waited) / 1e6 / (time.monotonic() - begun),
        "resident_lost_bytes": max(residents) - min(residents),
        "swapped_bytes": max(swaps) - min(swaps),
        "held_bytes": len(held),
    }


def _run_delay() -> int:
    return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1])


def _memory() -> tuple[int, int]:
    """Resident and swapped bytes (proc_pid_status(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    found = {name: value for name, _, value in (line.partition(":") for line in lines)}
    resident, swapped = (int(found[name].split()[0]) * _KIBIBYTE for name in ("VmRSS", "VmSwap"))
    return resident, swapped


if __name__ == "__main__":
    print(json.dumps(probe(float(sys.argv[1]))))
