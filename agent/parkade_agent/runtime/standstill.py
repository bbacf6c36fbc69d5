"""Programs that should work and do not: hung, stopped by somebody else, or waiting for what never comes."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

# Who gets anywhere at all uses that much CPU time in that time, however busy the vehicle is.
_CPU_SECONDS: Final = 0.05
_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0


async def stood_still(cpu_seconds: Callable[[], float], may_rest: Callable[[], bool]) -> None:
    """Returns when hardly any of the CPU time that *cpu_seconds* counts was used for a minute without leave."""
    used, moved_at = cpu_seconds(), time.monotonic()
    while time.monotonic() - moved_at <= _SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        if may_rest() or cpu_seconds() - used >= _CPU_SECONDS:
            used, moved_at = cpu_seconds(), time.monotonic()
