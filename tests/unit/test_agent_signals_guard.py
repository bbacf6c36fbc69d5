"""From the vehicle's broker to the brake: what the driver does, and what becomes of a vehicle that falls silent."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from structlog.testing import capture_logs

from parkade_agent.guard import Guard, Holder
from parkade_agent.signals.kuksa import Broker, KuksaSignals
from parkade_api import vss
from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import Action
from parkade_core.vehicle.rules import Charging, PoolRules
from support.kuksa_broker import Databroker, broker_process, serving
from support.vehicles import PARKED

STALE_AFTER = 3.0
RULES = PoolRules("p", 1, 60, 65, Charging.REQUIRED, 75, 45, 0, 0, STALE_AFTER, 600.0)


class Brake:
    """Notes when the slot was stopped last."""

    held_at = 0.0

    def hold(self, holder: Holder) -> None:
        """Stopped."""
        assert holder is Holder.GUARD
        self.held_at = time.monotonic()

    def release(self, holder: Holder) -> None:
        """Let go."""

    def kill(self) -> None:
        """Ended."""


class Vehicle:
    """A parked vehicle whose provider repeats every signal, and its guard."""

    def __init__(self, port: int, broker: Databroker) -> None:
        self.broker = broker
        self.brake = Brake()
        self.told = dict(PARKED)
        self._provider_died = threading.Event()
        self._decided = threading.Condition()
        self._signals = KuksaSignals(Broker(f"127.0.0.1:{port}"))
        self.guard = Guard(self._signals, self.brake, lambda _: self._notify(), lambda: OwnFacts(link="wifi"))
        self._provider = threading.Thread(target=self._provide)

    @contextmanager
    def alive(self) -> Iterator[None]:
        """The provider provides and the guard guards."""
        self._provider.start()
        self.guard.follow(RULES, "")
        self.guard.start()
        try:
            yield
        finally:
            self._end_provider()
            self.guard.stop()

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits for a decision after which it is so."""
        with self._decided:
            assert self._decided.wait_for(is_so, timeout=30), self.guard.state

    def fall_silent(self) -> float:
        """The provider dies, and its last word is heard; the time a moment before that word."""
        self._end_provider()
        last_at = time.monotonic()
        self.broker.publish(self.told)
        while (waited := time.monotonic() - last_at) < self._signals.readings()[vss.IS_MOVING].age:
            assert waited < 30, "the last word is not heard"
            time.sleep(0.005)
        return last_at

    def _end_provider(self) -> None:
        self._provider_died.set()
        self._provider.join()

    def _notify(self) -> None:
        with self._decided:
            self._decided.notify_all()

    def _provide(self) -> None:
        while not self._provider_died.wait(0.2):
            self.broker.publish(self.told)


@contextmanager
def working() -> Iterator[tuple[Vehicle, ExitStack]]:
    """A vehicle whose guard lets work run, and its broker, which ends when the stack is closed."""
    broker = Databroker(*PARKED)
    with ExitStack() as served:
        vehicle = Vehicle(served.enter_context(serving(broker)), broker)
        with vehicle.alive():
            vehicle.until(lambda: vehicle.guard.state.may_start)
            yield vehicle, served


def test_a_driver_stops_the_slot_at_once() -> None:
    """From the provider's word that somebody drives to the brake there is no network of ours and no event loop."""
    with working() as (vehicle, _):
        told_at = time.monotonic()
        vehicle.told[vss.IS_MOVING] = True
        vehicle.until(lambda: vehicle.guard.state.action is Action.FREEZE)
        # `make bench-reclaim` says how few milliseconds; here a machine that stands still for a moment is no fault.
        assert vehicle.brake.held_at - told_at < 5
        assert vehicle.guard.state.message == "IsMoving is true"


@pytest.mark.parametrize("what", ["provider", "broker"])
def test_a_vehicle_that_falls_silent_counts_as_driving(what: str) -> None:
    """A provider that died, or a broker: when the last word is too old the slot is stopped, with the reason."""
    with working() as (vehicle, served):
        silent_at = vehicle.fall_silent()
        if what == "broker":
            served.close()
        vehicle.until(lambda: vehicle.guard.state.action is Action.FREEZE)
        assert vehicle.brake.held_at - silent_at >= STALE_AFTER - 0.1
        assert Reason.DRIVING in vehicle.guard.state.reasons
        assert f"was not heard for {STALE_AFTER:g} s" in vehicle.guard.state.message


def test_a_broker_that_hangs_is_given_up_and_heard_again_when_it_wakes() -> None:
    """Its computer stands still and no packet says so: the connection ends after 15 s at most, and is made anew."""
    with broker_process(vss.SPEED) as (pid, port), capture_logs() as logs:
        source, is_fresh = KuksaSignals(Broker(f"127.0.0.1:{port}")), threading.Event()
        source.start(is_fresh.set)
        try:
            assert is_fresh.wait(30)
            os.kill(pid, signal.SIGSTOP)
            hung_at = time.monotonic()
            while not any("ping timeout" in entry.get("why", "") for entry in logs):
                assert time.monotonic() - hung_at < 30
                time.sleep(0.05)
            os.kill(pid, signal.SIGCONT)
            while source.readings()[vss.SPEED].age > 1:
                assert time.monotonic() - hung_at < 60
                time.sleep(0.05)
        finally:
            os.kill(pid, signal.SIGCONT)
            source.stop()
