"""What follows when a container ends, and when a probe counts: the rules of a kubelet, pure."""

import signal
from dataclasses import dataclass

from parkade_core.kubelet.pod import Object

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
FORGIVEN_AFTER_SECONDS = 60.0
_SIGNAL_BASE = 128


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended: its code as a shell would say it, and the word for it."""

    exit_code: int
    reason: str


def ending_of(returncode: int, *, out_of_memory: bool) -> Ending:
    """The ending for a return code of POSIX, where a negative one is a signal."""
    code = returncode if returncode >= 0 else _SIGNAL_BASE - returncode
    if out_of_memory:
        return Ending(_SIGNAL_BASE + signal.SIGKILL, "OOMKilled")
    return Ending(code, "Completed" if code == 0 else "Error")


def wait_before_restart(policy: str, exit_code: int, lived_seconds: float, waited: float) -> float | None:
    """Seconds until the container starts again, None when it has ended for good; *waited* is the last such wait.

    The first wait is one second and each one doubles, up to half a minute; a minute of life forgives all.
    """
    if policy == "Never" or (policy == "OnFailure" and exit_code == 0):
        return None
    if not waited or lived_seconds >= FORGIVEN_AFTER_SECONDS:
        return FIRST_WAIT_SECONDS
    return min(LONGEST_WAIT_SECONDS, waited * 2)


@dataclass(frozen=True, slots=True)
class Streak:
    """Equal answers of a probe in a row."""

    outcome: bool = False
    count: int = 0

    def then(self, *, outcome: bool) -> "Streak":
        """The streak after one more answer."""
        return Streak(outcome, self.count + 1 if outcome is self.outcome else 1)


def verdict(probe: Object, streak: Streak) -> bool | None:
    """What the probe says once its threshold of equal answers is reached; None before."""
    needed = probe.get("successThreshold", 1) if streak.outcome else probe.get("failureThreshold", 3)
    return streak.outcome if streak.count >= needed else None
