"""Why a sidecar ended, and who is to blame: from what the kernel and the sidecar itself left behind.

A model is blamed only for what would happen in any vehicle. Whatever is in doubt is the vehicle's: then the bundle
is tried elsewhere, and no batch fails of it.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

STANDARD_MEMORY_BYTES: Final = 2 << 30
"""Memory that a model may count on in every vehicle."""

STANDARD_LOAD_CPU_SECONDS: Final = 30
"""CPU time in which a model must be loaded and run once, in every vehicle."""

_SIGNALLED: Final = 128
_CRASHES: Final = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV"}
_KILLED: Final = 9
_CPU_LIMIT: Final = 24
# An instruction that the CPU lacks, and memory that the machine cannot give, are the vehicle's.
_VEHICLES_CRASHES: Final = frozenset({4, 7})
# Native code that gets no memory ends so, too.
_MEMORY_CRASHES: Final = frozenset({6, 11})


class SidecarExit(IntEnum):
    """How a sidecar ends by itself."""

    BUNDLE = 3  # the bundle cannot be used, by any vehicle
    MEMORY_LENT = 4  # the bundle says that it needs more memory than this vehicle lends
    OUT_OF_MEMORY = 5  # the model took more memory than is lent
    RUN_STUCK = 6  # one run of the model, or reading one record, took more CPU time than is allowed
    BUNDLE_DAMAGED = 7  # a file of the bundle is not, or no more, what was fetched
    TASK_UNKNOWN = 8  # the bundle's task is one that this version does not have; a newer one may


class Blame(StrEnum):
    """Whose fault a death is."""

    MODEL = "model"
    VEHICLE = "vehicle"


class Cause(StrEnum):
    """Kinds of deaths."""

    MODEL_REFUSED = "ModelRefused"
    BUNDLE_DAMAGED = "BundleDamaged"
    TASK_UNKNOWN = "TaskUnknown"
    MEMORY_LENT = "MemoryLent"
    OUT_OF_MEMORY = "OutOfMemory"
    LOAD_TOO_LONG = "LoadTooLong"
    LOAD_STALLED = "LoadStalled"
    RUN_STUCK = "RunStuck"
    DISK_HOARDED = "DiskHoarded"
    RUN_STALLED = "RunStalled"
    CRASHED = "Crashed"
    KILLED = "Killed"
    EXITED = "Exited"


# What the sidecar itself says of the end needs no other evidence.
_TOLD: Final[dict[int, tuple[Cause, Blame]]] = {
    SidecarExit.BUNDLE: (Cause.MODEL_REFUSED, Blame.MODEL),
    SidecarExit.MEMORY_LENT: (Cause.MEMORY_LENT, Blame.VEHICLE),
    SidecarExit.RUN_STUCK: (Cause.RUN_STUCK, Blame.MODEL),
    SidecarExit.BUNDLE_DAMAGED: (Cause.BUNDLE_DAMAGED, Blame.VEHICLE),
    SidecarExit.TASK_UNKNOWN: (Cause.TASK_UNKNOWN, Blame.VEHICLE),
}
_REFUSALS: Final = frozenset(
    {Cause.MODEL_REFUSED, Cause.BUNDLE_DAMAGED, Cause.TASK_UNKNOWN, Cause.MEMORY_LENT}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the sidecar was held to."""

    memory_bytes: int = STANDARD_MEMORY_BYTES
    load_cpu_seconds: int = STANDARD_LOAD_CPU_SECONDS


@dataclass(frozen=True, slots=True)
class End:
    """What is known of a sidecar that has ended; `exit_code` is 128 + n when signal n ended it."""

    exit_code: int
    has_served: bool
    words: str = ""
    """Its last words: why it refused, or what it was doing (`while loading model.onnx`)."""

    has_stalled: bool = False
    """Whether it was killed because it used no CPU time although it should have."""

    was_short_of_memory: bool = False
    """Whether the kernel killed a program because all of them had used up the memory of their control group."""

    has_hoarded: bool = False
    """Whether it was killed because its folder had grown over what it may hold."""


@dataclass(frozen=True, slots=True)
class Death:
    """Why a sidecar ended, in a sentence."""

    cause: Cause
    blame: Blame
    sentence: str

    @property
    def is_final(self) -> bool:
        """Whether starting it again would end the same way."""
        return self.cause in _REFUSALS


def attribute(end: End, limits: Limits) -> Death:
    """Why a sidecar ended that nobody had told to."""
    if end.exit_code > _SIGNALLED:
        return _signalled(end, limits, end.exit_code - _SIGNALLED)
    words = end.words or "it left no word"
    if end.exit_code == SidecarExit.OUT_OF_MEMORY:
        return Death(Cause.OUT_OF_MEMORY, _blame_unless(limits.memory_bytes < STANDARD_MEMORY_BYTES), words)
    if end.exit_code in _TOLD:
        cause, blame = _TOLD[end.exit_code]
        return Death(cause, blame, words)
    return Death(Cause.EXITED, Blame.VEHICLE, f"the sidecar ended with exit code {end.exit_code} {words}")


def _signalled(end: End, limits: Limits, signal: int) -> Death:
    if end.has_hoarded:
        return Death(Cause.DISK_HOARDED, Blame.MODEL, f"the sidecar filled its folder {end.words}")
    if end.has_stalled:
        cause = Cause.RUN_STALLED if end.has_served else Cause.LOAD_STALLED
        return Death(cause, Blame.VEHICLE, f"the sidecar stood still {end.words}")
    if signal == _KILLED and end.was_short_of_memory:
        mebibytes = limits.memory_bytes >> 20
        blame = _blame_unless(limits.memory_bytes < STANDARD_MEMORY_BYTES)
        return Death(
            Cause.OUT_OF_MEMORY,
            blame,
            f"the sidecar took more than the {mebibytes} MiB that are lent {end.words}",
        )
    if signal == _CPU_LIMIT and not end.has_served:
        used = f"used up {limits.load_cpu_seconds} s of CPU time"
        blame = _blame_unless(limits.load_cpu_seconds < STANDARD_LOAD_CPU_SECONDS)
        return Death(Cause.LOAD_TOO_LONG, blame, f"the sidecar {used} {end.words}")
    if signal in _CRASHES:
        lacks_memory = signal in _MEMORY_CRASHES and limits.memory_bytes < STANDARD_MEMORY_BYTES
        blame = _blame_unless(signal in _VEHICLES_CRASHES or lacks_memory)
        return Death(Cause.CRASHED, blame, f"the sidecar crashed ({_CRASHES[signal]}) {end.words}")
    whose = ", as a machine short of memory does" if signal == _KILLED else ""
    return Death(Cause.KILLED, Blame.VEHICLE, f"signal {signal} ended the sidecar {end.words}{whose}")


def _blame_unless(other_vehicles_may_do_better: bool) -> Blame:  # noqa: FBT001 - the question itself
    return Blame.VEHICLE if other_vehicles_may_do_better else Blame.MODEL
