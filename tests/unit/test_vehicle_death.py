"""Every end of a sidecar has a cause, somebody to blame, and a sentence."""

import signal

import pytest

from parkade_core.vehicle.death import Blame, Cause, End, Limits, SidecarExit, attribute

LOADING = "while loading model.onnx"
SMALL = Limits(memory_bytes=1 << 30)


@pytest.mark.parametrize(
    ("end", "limits", "cause", "blame", "sentence"),
    [
        (End(SidecarExit.BUNDLE, False, "no."), Limits(), Cause.MODEL_REFUSED, Blame.MODEL, "no."),
        (End(SidecarExit.BUNDLE, False), Limits(), Cause.MODEL_REFUSED, Blame.MODEL, "it left no word"),
        (End(SidecarExit.TASK_UNKNOWN, False, "new."), Limits(), Cause.TASK_UNKNOWN, Blame.VEHICLE, "new."),
        (End(SidecarExit.MEMORY_LENT, False, "big."), Limits(), Cause.MEMORY_LENT, Blame.VEHICLE, "big."),
        (End(SidecarExit.OUT_OF_MEMORY, False, "full."), Limits(), Cause.OUT_OF_MEMORY, Blame.MODEL, "full."),
        (End(SidecarExit.OUT_OF_MEMORY, True, "full."), SMALL, Cause.OUT_OF_MEMORY, Blame.VEHICLE, "full."),
        (End(SidecarExit.RUN_STUCK, True, "61 s."), Limits(), Cause.RUN_STUCK, Blame.MODEL, "61 s."),
        (
            End(SidecarExit.BUNDLE_DAMAGED, False, "x."),
            Limits(),
            Cause.BUNDLE_DAMAGED,
            Blame.VEHICLE,
            "x.",
        ),
        (
            End(128 + signal.SIGKILL, True, "while serving", was_short_of_memory=True),
            Limits(),
            Cause.OUT_OF_MEMORY,
            Blame.MODEL,
            "the sidecar took more than the 2048 MiB that are lent while serving",
        ),
        (
            End(128 + signal.SIGKILL, False, LOADING, was_short_of_memory=True),
            SMALL,
            Cause.OUT_OF_MEMORY,
            Blame.VEHICLE,
            f"the sidecar took more than the 1024 MiB that are lent {LOADING}",
        ),
        (
            End(128 + signal.SIGKILL, True, "while serving", has_hoarded=True),
            Limits(),
            Cause.DISK_HOARDED,
            Blame.MODEL,
            "the sidecar filled its folder while serving",
        ),
        (
            End(128 + signal.SIGKILL, True, "while serving", has_stalled=True),
            Limits(),
            Cause.RUN_STALLED,
            Blame.VEHICLE,
            "the sidecar stood still while serving",
        ),
        (
            End(128 + signal.SIGXCPU, False, LOADING),
            Limits(load_cpu_seconds=30),
            Cause.LOAD_TOO_LONG,
            Blame.MODEL,
            f"the sidecar used up 30 s of CPU time {LOADING}",
        ),
        (
            End(128 + signal.SIGXCPU, False, LOADING),
            Limits(load_cpu_seconds=29),
            Cause.LOAD_TOO_LONG,
            Blame.VEHICLE,
            f"the sidecar used up 29 s of CPU time {LOADING}",
        ),
        (
            End(128 + signal.SIGSEGV, False, LOADING),
            Limits(),
            Cause.CRASHED,
            Blame.MODEL,
            f"the sidecar crashed (SIGSEGV) {LOADING}",
        ),
        (
            End(128 + signal.SIGABRT, False, LOADING),
            SMALL,
            Cause.CRASHED,
            Blame.VEHICLE,
            f"the sidecar crashed (SIGABRT) {LOADING}",
        ),
        (
            End(128 + signal.SIGSEGV, False, LOADING),
            SMALL,
            Cause.CRASHED,
            Blame.VEHICLE,
            f"the sidecar crashed (SIGSEGV) {LOADING}",
        ),
        (
            End(128 + signal.SIGFPE, False, LOADING),
            SMALL,
            Cause.CRASHED,
            Blame.MODEL,
            f"the sidecar crashed (SIGFPE) {LOADING}",
        ),
        (
            End(128 + signal.SIGABRT, True, "while serving"),
            Limits(),
            Cause.CRASHED,
            Blame.MODEL,
            "the sidecar crashed (SIGABRT) while serving",
        ),
        (
            End(128 + signal.SIGILL, False, LOADING),
            Limits(),
            Cause.CRASHED,
            Blame.VEHICLE,
            f"the sidecar crashed (SIGILL) {LOADING}",
        ),
        (
            End(128 + signal.SIGKILL, False, LOADING),
            Limits(),
            Cause.KILLED,
            Blame.VEHICLE,
            f"signal 9 ended the sidecar {LOADING}, as a machine short of memory does",
        ),
        (
            End(128 + signal.SIGKILL, False, LOADING, has_stalled=True),
            Limits(),
            Cause.LOAD_STALLED,
            Blame.VEHICLE,
            f"the sidecar stood still {LOADING}",
        ),
        (
            End(1, False, LOADING),
            Limits(),
            Cause.EXITED,
            Blame.VEHICLE,
            f"the sidecar ended with exit code 1 {LOADING}",
        ),
    ],
)
def test_an_end_is_attributed(end: End, limits: Limits, cause: Cause, blame: Blame, sentence: str) -> None:
    """The model is blamed only for what every vehicle would see."""
    death = attribute(end, limits)
    assert (death.cause, death.blame, death.sentence) == (cause, blame, sentence)
    refusals = {Cause.MODEL_REFUSED, Cause.BUNDLE_DAMAGED, Cause.TASK_UNKNOWN, Cause.MEMORY_LENT}
    assert death.is_final == (cause in refusals)
