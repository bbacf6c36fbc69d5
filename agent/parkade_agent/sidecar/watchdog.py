"""Ends a sidecar whose model or tokenizer does not come to an end with a record.

CPU time is counted and not the clock's: a run that the owner froze, or that waits for a core, uses none. A run that
is stopped would be given to a lane again, so the whole process goes; it is disposable.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from parkade_models.session import Session

_LOOK_SECONDS: Final = 0.5


def watch_runs(session: Session, most_cpu_seconds: float, on_stuck: Callable[[str], None]) -> None:
    """Has a thread tell *on_stuck*, once and in a sentence, of a step that took more CPU time than that."""
    arguments = (session, most_cpu_seconds, on_stuck)
    threading.Thread(target=_watch, args=arguments, name="watchdog", daemon=True).start()


def _watch(session: Session, most_cpu_seconds: float, on_stuck: Callable[[str], None]) -> None:
    while (used := session.longest_step()) <= most_cpu_seconds:
        time.sleep(_LOOK_SECONDS)
    on_stuck(
        f"one step of a record took {used:.1f} s of CPU time; at most {most_cpu_seconds:g} s are allowed"
    )
