"""The guard's shell: it decides again after the computer slept, and what refused rules mean to a whole agent."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from parkade_agent import session as sessions
from parkade_agent.guard import Guard, Holder
from parkade_agent.session import Session, Voice
from parkade_agent.wire import is_older
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Condition, Reason
from parkade_core.vehicle.guard import Action
from parkade_core.vehicle.readings import Reading, Readings
from support.bare import BareDoor
from support.facts import OWN, RULES, readings
from support.parked import POLICY
from support.vehicles import Certificates, certificates, open_door, running_agent


class Computer:
    """A computer that sleeps when the test says so: its signals grow old meanwhile, and its timers stand still."""

    def __init__(self) -> None:
        self.slept = 0.0

    def start(self, on_change: Callable[[], None]) -> None:
        """Nothing is heard after the first word."""

    def stop(self) -> None:
        """Nothing to end."""

    def readings(self) -> Readings:
        """What a parked vehicle told before the sleep."""
        return {path: Reading(word.value, self.slept) for path, word in readings().items()}


class Brake:
    """Tells when work is stopped."""

    def __init__(self) -> None:
        self.held = threading.Event()

    def hold(self, holder: Holder) -> None:
        """Stopped."""
        assert holder is Holder.GUARD
        self.held.set()

    def release(self, holder: Holder) -> None:
        """Let go."""

    def kill(self) -> None:
        """Ended."""


@contextmanager
def guarding(computer: Computer, brake: Brake) -> Iterator[Guard]:
    """A guard that lets work run."""
    guard = Guard(computer, brake, lambda _: None, lambda: OWN, slept=lambda: computer.slept)
    guard.follow(replace(RULES, telemetry_stale_after=600.0), "")
    guard.start()
    try:
        until(lambda: guard.state.may_start)
        yield guard
    finally:
        guard.stop()


def until(is_so: Callable[[], bool]) -> None:
    """Waits for a decision of the guard after which it is so; words alone are told to nobody, so it looks."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_work_stops_when_the_computer_wakes_after_a_sleep() -> None:
    """Nobody wakes the guard and its timer has minutes left, but what was heard before the sleep is too old."""
    computer, brake = Computer(), Brake()
    with guarding(computer, brake) as guard:
        assert guard.state.recheck_at is not None
        computer.slept = 700.0
        assert brake.held.wait(10)
        until(lambda: guard.state.action is not Action.RUN)
        assert "was not heard for 600 s" in guard.state.message


async def test_a_sleep_is_silence_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool's autonomy counts the hours in which the computer was off the net and asleep."""
    now = 100.0
    monkeypatch.setattr(sessions, "boottime", lambda: now)
    session = Session(None, Voice(pb.Hello, pb.Telemetry, lambda _: None), 1.0)
    now += 7200
    assert session.silent_seconds == 7200


def test_refused_rules_let_nothing_start_and_stop_nothing() -> None:
    """Owner and cluster read what was refused, until other rules are followed."""
    with guarding(Computer(), Brake()) as guard:
        guard.refuse("the rules are refused: cooldown is -1", "")
        until(lambda: not guard.state.may_start)
        assert (guard.state.action, guard.state.reasons) == (Action.RUN, (Reason.UNKNOWN,))
        assert guard.state.causes[0].message == "the rules are refused: cooldown is -1"
        guard.follow(RULES, "")
        until(lambda: "kept for" in guard.state.message)
        assert "refused" not in guard.state.message


def test_a_vehicle_whose_first_rules_are_refused_says_so() -> None:
    """It has no rules before them, so nothing runs."""
    guard = Guard(Computer(), Brake(), lambda _: None, lambda: OWN)
    guard.refuse("the rules are refused: cooldown is -1", "")
    guard.start()
    try:
        until(lambda: "cooldown is -1" in guard.state.message)
        assert not guard.state.may_start
        assert [cause.reason for cause in guard.state.causes] == [Reason.UNKNOWN]
    finally:
        guard.stop()


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and the vehicle v1."""
    return certificates(tmp_path_factory.mktemp("pki"))


async def test_contradictory_rules_are_a_named_state(tmp_path: Path, certs: Certificates) -> None:
    """A vehicle that works tells the cluster what it does not take, and takes no new slot."""
    door, wrong = BareDoor(), pb.Policy()
    wrong.CopyFrom(POLICY)
    wrong.resume_state_of_charge_percent = wrong.min_state_of_charge_percent
    words = "the rules of pool home-garage in generation 1 are refused: resume_state_of_charge_percent is 60"
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        door.say(pb.GatewayMessage(policy=wrong))
        judgement = await door.until(refusal)
        assert (judgement.reason, judgement.effect) == (Reason.UNKNOWN, "NoSchedule")
        assert words in judgement.message


@pytest.mark.parametrize(
    ("uid", "generation", "older"),
    [("a", 4, True), ("a", 5, False), ("a", 6, False), ("b", 1, False), ("", 1, False)],
)
def test_an_older_version_of_a_pool_is_told_from_a_pool_made_anew(
    uid: str, generation: int, *, older: bool
) -> None:
    """A new leader's view may lag behind the API server; a pool that was deleted begins again at 1."""
    newest = pb.Policy(pool="p", pool_uid="a", generation=5)
    assert is_older(pb.Policy(pool="p", pool_uid=uid, generation=generation), newest) == older


async def test_rules_that_the_pool_has_replaced_are_not_followed(tmp_path: Path, certs: Certificates) -> None:
    """The vehicle stays closed by the newer rules, and opens for those that come after them."""
    door, held = BareDoor(), pb.Policy()
    held.CopyFrom(POLICY)
    held.stop_policy, held.pool_uid, held.generation = "Hold", "a", 5
    older, newer = pb.Policy(), pb.Policy()
    older.CopyFrom(POLICY)
    older.pool_uid, older.generation = "a", 4
    newer.CopyFrom(held)
    newer.stop_policy, newer.generation = "HoldAndDrain", 6
    door.policy = held
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: "is Hold" in told(d).guard_message)
        door.say(pb.GatewayMessage(policy=older))
        await until_logged(tmp_path / "agent.log", "rules that the pool has replaced are not followed")
        assert "is Hold" in told(door).guard_message
        door.say(pb.GatewayMessage(policy=newer))
        await door.until(lambda d: "is HoldAndDrain" in told(d).guard_message)


async def until_logged(log: Path, words: str) -> None:
    """Waits until the agent's log holds these words."""
    async with asyncio.timeout(30):
        while words not in log.read_text():  # noqa: ASYNC110, ASYNC240 - another process writes it
            await asyncio.sleep(0.05)


def told(door: BareDoor) -> pb.Telemetry:
    """The vehicle's newest telemetry."""
    found = [message.telemetry for message in door.heard if message.HasField("telemetry")]
    return found[-1] if found else pb.Telemetry()


def refusal(door: BareDoor) -> pb.Judgement | None:
    """What the vehicle tells of its policies, when one objects."""
    judged = (each for each in told(door).judgements if each.condition == Condition.POLICY_ALLOWS)
    return next((each for each in judged if not each.holds), None)
