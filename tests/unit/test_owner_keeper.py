"""What the agent does for its owner beside the guard: shows the decision, wipes after a revocation, signs for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from parkade_agent.errors import JournalBroken
from parkade_agent.owner import keeper as keeping
from parkade_agent.owner.follower import OwnerFollower
from parkade_agent.owner.keeper import OwnerKeeper, Shown
from parkade_agent.owner.receipts import Receipt, Receipts
from parkade_agent.owner.view import View, read_view, view_of
from parkade_agent.owner.wiping import Wiped, wipe
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import GuardState, decide, initial
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.readings import Value
from parkade_core.vehicle.rules import ConsentTerms
from parkade_hack.pki import Authority, KeyPair, Subject
from support.facts import OWN as PARKED
from support.facts import RULES, facts
from support.owners import Owner

_T = TypeVar("_T")
ASKED = "the pool asks for terms 3 with public-data: the owner was not asked yet"
GRANT = "`parkade-agent consent grant --terms 3 --scope public-data`"
OWN = replace(PARKED, lanes=2, energy_wh_today=12.34)


def decided(own: OwnFacts, terms: ConsentTerms | None = None, **signals: Value) -> GuardState:
    """What the guard decides for a parked vehicle in a pool that asks for *terms*, some signals changed."""
    return decide(facts(replace(RULES, consent=terms), own, **signals), initial(0.0), 0.0)


@pytest.mark.parametrize(
    ("own", "terms", "changes", "lines"),
    [
        (OWN, None, {}, ["Ready: work may start and run."]),
        (
            OWN,
            ConsentTerms("3", frozenset({"public-data"})),
            {"PLUGGED_IN": False},
            [
                "Stopped: no work is left in the vehicle.",
                f"1. ConsentCurrent (NoConsent): {ASKED}. Agree by {GRANT}.",
                "2. ChargingOK (NotCharging): the charging cable is not connected. Plug in.",
            ],
        ),
        (
            replace(OWN, paused_because="the owner paused: holiday"),
            None,
            {},
            [
                "Stopped: work is frozen and ends in a moment.",
                "1. PolicyAllows (OwnerPaused): the owner paused: holiday. Type `parkade-agent resume`.",
            ],
        ),
        (
            replace(OWN, problem="limits.json: maxLane: unknown field"),
            None,
            {},
            [
                "Stopped: work is frozen and ends in a moment.",
                "1. PolicyAllows (Unknown): limits.json: maxLane: unknown field. Correct the owner's files.",
            ],
        ),
        (
            replace(OWN, limits=OwnerLimits(max_energy_wh_per_day=10)),
            None,
            {},
            [
                "Stopped: work is frozen and ends in a moment.",
                "1. PolicyAllows (EnergyUsedUp): 12.3 Wh were used today, the owner allows 10 Wh. Wait until midnight.",
            ],
        ),
    ],
)
def test_the_owner_reads_causes_in_order(
    own: OwnFacts, terms: ConsentTerms | None, changes: dict[str, bool], lines: list[str]
) -> None:
    """First what stops work, then what forbids more; each with its number and its cure."""
    view = view_of("v1", decided(own, terms, **changes), own, "/owner", 0, 0.0)
    assert view.owner == "/owner"
    rules = "Rules: pool home-garage, generation 1."
    assert list(view.lines) == [*lines, rules, "Lanes: 2 of 2.", "Energy used for work today: 12.3 Wh."]
    assert [cause["message"] in line for cause, line in zip(view.causes, view.lines[1:], strict=False)] == [
        True
    ] * len(view.causes)


@dataclass
class Garage:
    """A vehicle whose agent is only what the keeper asks of it."""

    owner: Owner
    pair: KeyPair
    state: GuardState = field(default_factory=lambda: decided(OWN))
    wipes: int = 0
    failures: int = 0
    name: str = "v1"
    may_wipe: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_wipe.set()

    @property
    def receipts(self) -> Receipts:
        """Signed with the key of the vehicle's certificate."""
        return Receipts(self.owner.folder, self.pair.cert, self.pair.key)

    def shown(self, state: str) -> View | None:
        """What the owner can read, once the guard has decided that."""
        view = read_view(self.owner.state / "guard.json")
        return view if view is not None and view.state == state else None

    def receipt(self, number: int) -> Receipt | None:
        """The verified receipt of that revocation, once it is there."""
        return self.receipts.left(number)

    async def wipe(self) -> Wiped:
        """Removes the slots' folders, unless the disk is bad."""
        self.wipes += 1
        await self.may_wipe.wait()
        if self.wipes <= self.failures:
            raise JournalBroken("the disk is bad")
        return wipe([self.owner.state / "slots"])

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Has a keeper look after the owner meanwhile."""
        follower = OwnerFollower(self.owner.files())
        follower.start(lambda: None)
        vehicle = Shown(lambda: self.name, lambda: self.state, lambda: OWN, self.wipe)
        keeper = OwnerKeeper(vehicle, follower, self.receipts, self.owner.state / "guard.json")
        task = asyncio.create_task(keeper.keep())
        try:
            yield
        finally:
            follower.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def garage(tmp_path: Path) -> Garage:
    """A vehicle with a file of somebody's work in it, whose owner agreed."""
    pair = Authority(tmp_path / "pki", "ca").issue("v1", Subject("v1", uris=("urn:parkade:vehicle:v1",)))
    garage = Garage(Owner(tmp_path / "state"), pair)
    (garage.owner.state / "slots" / "pod-1").mkdir(parents=True)
    (garage.owner.state / "slots" / "pod-1" / "shard").write_bytes(b"12345")
    garage.owner.says()
    return garage


async def until(found: Callable[[], _T | None]) -> _T:
    """What *found* finds on the disk, once it is there."""
    async with asyncio.timeout(10):
        while (what := found()) is None:  # noqa: ASYNC110 - a disk tells nobody
            await asyncio.sleep(0.02)
        return what


async def test_what_the_guard_decided_is_shown(garage: Garage) -> None:
    """At once, and again when it decides otherwise, under the name that the vehicle has then."""
    async with garage.kept():
        shown = await until(lambda: garage.shown("Run"))
        assert (shown.vehicle, shown.may_start) == ("v1", True)
        garage.name, garage.state = "v2", decided(OWN, IS_MOVING=True)
        shown = await until(lambda: garage.shown("Freeze"))
        assert "IsMoving" in shown.lines[1]
        assert shown.vehicle == "v2"
    assert garage.wipes == 0


@pytest.mark.parametrize("failures", [0, 1])
async def test_a_revocation_wipes_once_and_is_signed(
    garage: Garage, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """A wipe that fails is tried again; one that is signed for is never done again, also not by the next agent."""
    monkeypatch.setattr(keeping, "_RETRY_SECONDS", 0.0)
    garage.failures = failures
    async with garage.kept():
        garage.owner.says(number=2, revoked=True)
        receipt = await until(lambda: garage.receipt(2))
    assert (receipt.vehicle, receipt.number, receipt.wiped) == ("v1", 2, Wiped(1, 5))
    assert list((garage.owner.state / "slots").iterdir()) == []
    async with garage.kept():
        garage.state = decided(OWN, IS_MOVING=True)
        await until(lambda: garage.shown("Freeze"))
    assert garage.wipes == failures + 1


async def test_a_revocation_that_was_missed_is_obeyed(garage: Garage) -> None:
    """A document that came while no agent ran wipes when the next one starts."""
    garage.owner.says(number=2, revoked=True)
    async with garage.kept():
        assert (await until(lambda: garage.receipt(2))).wiped == Wiped(1, 5)


async def test_a_wipe_that_waits_hides_nothing_from_the_owner(garage: Garage) -> None:
    """While the kernel holds a program of the slot, the guard's newest decision is shown all the same."""
    garage.may_wipe.clear()
    garage.owner.says(number=2, revoked=True)
    async with garage.kept():
        await until(lambda: garage.wipes or None)
        garage.state = decided(OWN, IS_MOVING=True)
        await until(lambda: garage.shown("Freeze"))
        assert garage.receipt(2) is None
        garage.may_wipe.set()
        await until(lambda: garage.receipt(2))


async def test_the_receipt_of_another_vehicle_is_no_answer(garage: Garage, tmp_path: Path) -> None:
    """The owner's folder came from another vehicle, with what that one signed: this one wipes and signs for itself."""
    pair = Authority(tmp_path / "other", "ca").issue("v0", Subject("v0", uris=("urn:parkade:vehicle:v0",)))
    Receipts(garage.owner.folder, pair.cert, pair.key).leave(2, Wiped(), 0.0)
    garage.owner.says(number=2, revoked=True)
    async with garage.kept():
        assert (await until(lambda: garage.receipt(2))).wiped == Wiped(1, 5)


async def test_a_receipt_that_cannot_be_read_or_left_ends_no_agent(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in its place is told in the log and tried again; once it is gone the vehicle signs."""
    monkeypatch.setattr(keeping, "_RETRY_SECONDS", 0.0)
    garage.receipts.of(2).mkdir(parents=True)
    garage.owner.says(number=2, revoked=True)
    async with garage.kept():
        await until(lambda: garage.wipes > 1 or None)
        garage.receipts.of(2).rmdir()
        await until(lambda: garage.receipt(2))
    assert list((garage.owner.state / "slots").iterdir()) == []
