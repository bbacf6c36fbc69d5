"""The guard's shell: on every change of a signal it decides and acts on the slot's processes, before anything else.

It runs in a thread of its own, which waits for signals and for time, never for network, disk or the event loop.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn, Protocol

import structlog

from parkade_agent.signals.heard import slept
from parkade_agent.signals.source import SignalSource
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.guard import Action, GuardState, decide, initial, refused
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.standing import resumed

_LOOK_SECONDS: Final = 1.0  # how often the guard looks whether the computer has slept
_SLEPT_SECONDS: Final = 0.1  # less is the time between the readings of two clocks
_log = structlog.get_logger()


class Holder(StrEnum):
    """Who holds the slot's processes; they run only while nobody does."""

    GUARD = "guard"
    GOVERNOR = "governor"


class Brake(Protocol):
    """What the guard does to the slot's processes. No method waits."""

    def hold(self, holder: Holder) -> None:
        """Stops every process until that holder releases them."""

    def release(self, holder: Holder) -> None:
        """Lets the processes run on, if no one else holds them."""

    def kill(self) -> None:
        """Ends every process at once."""


def give_up(brake: Brake, failure: str) -> NoReturn:
    """Ends every process of the slot and then the agent, because of the exception that is being handled.

    The agent ends even if the brake itself is what fails: its programs die with it. So the log, which may block, is
    written last, and only when there is nothing left that could compute.
    """
    try:
        brake.kill()
        _log.exception(failure)
    finally:
        os._exit(os.EX_SOFTWARE)


@dataclass(frozen=True, slots=True)
class _Told:
    """The cluster's newest word on this vehicle, as `Facts` has it; no *rules* while it is in no pool."""

    rules: PoolRules | None = None
    quarantined_because: str = ""
    refused_because: str = ""


class Guard:
    """The vehicle's last word on its own compute; `state` is the newest decision.

    *own* tells what only the vehicle knows, *parked_since* since when an earlier agent saw it parked (monotonic
    seconds, None when nobody knows), *slept* for how long the computer has slept since its start; none of them waits.
    `heard_at` is when what led to the decision was heard, on the monotonic clock; *on_change* may read both.
    """

    def __init__(
        self,
        source: SignalSource,
        brake: Brake,
        on_change: Callable[[GuardState], None],
        own: Callable[[], OwnFacts],
        parked_since: Callable[[], float | None] = lambda: None,
        slept: Callable[[], float] = slept,
    ) -> None:
        self._source = source
        self._own = own
        self._parked_since = parked_since
        self._slept = slept
        self._brake = brake
        self._on_change = on_change
        self._told = _Told()
        self._wakeup = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self._woken_at: float | None = None
        self.heard_at = time.monotonic()
        self.state = initial(self.heard_at)

    def start(self) -> None:
        """Begins to listen to the signals and to decide."""
        self._thread.start()
        self._source.start(self.wake)

    def follow(self, rules: PoolRules | None, quarantined_because: str) -> None:
        """Applies the pool's rules from now on, and the cluster's word on this vehicle (empty: it is trusted).

        *rules* is None when the vehicle is in no pool.
        """
        self._told = _Told(rules, quarantined_because)
        self._wakeup.set()

    def refuse(self, because: str, quarantined_because: str) -> None:
        """Keeps the last rules for what runs, and lets nothing start until others are followed: a sentence says why."""
        self._told = _Told(self._told.rules, quarantined_because, because)
        self._wakeup.set()

    def stop(self) -> None:
        """Ends the guard; the processes must be gone by then."""
        self._source.stop()
        self._stopped = True
        self._wakeup.set()
        self._thread.join()

    def wake(self) -> None:
        """Decides again, because a signal or the owner's word changed. Callable from any thread."""
        if self._woken_at is None:
            self._woken_at = time.monotonic()
        self._wakeup.set()

    def _run(self) -> None:
        try:
            while not self._stopped:
                self._step()
                self._wait()
                self._wakeup.clear()
        except Exception:  # noqa: BLE001 - whatever it is: nothing may compute without a guard
            give_up(self._brake, "the guard failed")

    def _step(self) -> None:
        before, now = self.state, time.monotonic()
        self.heard_at, self._woken_at = self._woken_at or now, None
        told = self._told
        facts = self._facts(told)
        if facts is not None and not before.verdicts and (since := self._parked_since()) is not None:
            before = resumed(before, since)
        state = decide(facts, before, now)
        if facts is None and told.refused_because:
            state = refused(state, told.refused_because)
        if state.action is not before.action:
            self._act(state.action)
        self.state = state
        if state.edge != before.edge:
            self._on_change(state)

    def _facts(self, told: _Told) -> Facts | None:
        if told.rules is None:
            return None
        readings, own = self._source.readings(), self._own()
        return Facts(readings, told.rules, own, told.quarantined_because, told.refused_because)

    def _act(self, action: Action) -> None:
        match action:
            case Action.RUN:
                self._brake.release(Holder.GUARD)
            case Action.FREEZE:
                self._brake.hold(Holder.GUARD)
            case Action.KILL:
                self._brake.hold(Holder.GUARD)
                self._brake.kill()

    def _wait(self) -> None:
        """Returns when somebody wakes the guard, when it is time to decide again, or when the computer has slept.

        No timer counts a sleep, and after one every reading is old.
        """
        slept, until = self._slept(), self.state.recheck_at
        while not self._wakeup.wait(_patience(until)):
            is_due = until is not None and time.monotonic() >= until
            if is_due or self._slept() - slept >= _SLEPT_SECONDS:
                return


def _patience(until: float | None) -> float:
    """For how many seconds the guard may wait, at most until that moment."""
    if until is None:
        return _LOOK_SECONDS
    return min(_LOOK_SECONDS, max(0.001, until - time.monotonic()))
