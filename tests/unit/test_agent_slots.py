"""Which slots a vehicle has, and what becomes of shards that an earlier agent had in hand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_agent.attempts import AttemptBook
from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
from parkade_agent.folders import own_folder
from parkade_agent.journal.attempts import Attempt
from parkade_agent.journal.journal import Journal
from parkade_agent.lanes import LentLanes
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.slot import Ending, Vehicle
from parkade_agent.session import Session, Voice
from parkade_agent.shards import Supply
from parkade_agent.slots import Slots
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Reason
from parkade_core.vehicle.death import Limits
from parkade_core.vehicle.guard import Action, GuardState
from support.programs import sandbox

MAY_START = GuardState(Action.RUN, (), "", 0.0, None)
UNPLUGGED = GuardState(Action.RUN, (Reason.NOT_CHARGING,), "the cable is out", 0.0, None)


class StillDoor(Door):
    """Never gives out a bundle: a slot begins, and nothing is run in it."""

    @override
    async def fetch(self, request: pb.FetchRequest, most_bytes: int) -> bytes:
        await asyncio.Event().wait()
        return b""


class HeardSession(Session):
    """Keeps what is said at once, as a gateway would hear it."""

    heard: list[pb.VehicleMessage]

    @override
    def say(self, message: pb.VehicleMessage) -> None:
        self.heard.append(message)


@dataclass
class Yard:
    """The slots of a vehicle that had shards 1 and 2 of `old` in hand when its agent was killed."""

    slots: Slots
    session: HeardSession
    folder: Path
    state: GuardState = MAY_START

    def said(self, uid: str) -> list[tuple[bool, str]]:
        """Whether a slot has ended and why, each time that it was said."""
        told = [message.slot_status for message in self.session.heard]
        return [(status.ended, status.reason) for status in told if status.pod_uid == uid]

    def handed_back(self) -> list[tuple[str, list[int]]]:
        """What waits to be handed back: reason and shards."""
        said = [message.handback for message in self.session._kept]
        return [(handback.reason, list(handback.shards)) for handback in said]

    def in_hand(self) -> list[int]:
        """The shards that Hello will name."""
        return [attempt.shard.shard for attempt in self.slots.in_hand()]


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    """A yard right after the agent has started."""
    for uid in ("old", "older"):
        (tmp_path / "slots" / uid / "work").mkdir(parents=True)
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        door = StillDoor(channel)
        session = HeardSession(door, Voice(pb.Hello, pb.Telemetry, lambda _: None), 1.0)
        session.heard = []
        journal = Journal(tmp_path / "journal.sqlite")
        book = AttemptBook(own_folder(tmp_path / "results"), journal, door, session)
        vehicle = Vehicle(
            SlotBrake(),
            sandbox(),
            Bundles(tmp_path / "bundles", door),
            Supply(door, session, book),
            tmp_path / "slots",
            tmp_path,
            LentLanes(1),
            Limits(),
        )
        shards = [pb.LeasedShard(shard=number, attempt=f"a-{number}") for number in (1, 2)]
        in_hand = [Attempt("old", "batch", "lease", shard) for shard in shards]
        made: Yard
        made = Yard(Slots(vehicle, lambda: made.state), session, tmp_path / "slots")
        made.slots.recover(in_hand)
        yield made
        made.slots.end_all(Ending("", "the test is over"))
        assert await made.slots.have_ended(20)
        await made.slots.stop()
        await book.stop()
        journal.close()


def assignment(uid: str) -> pb.Assignment:
    """An assignment that is obeyed."""
    return pb.Assignment(pod_uid=uid, pod_name=uid, batch_uid="batch", bundle_digest="sha256:" + "0" * 64)


async def test_a_slot_that_is_assigned_again_goes_on(yard: Yard) -> None:
    """Its shards are still its own, and its folder with the checkpoint is there; nobody else's is."""
    assert yard.in_hand() == [1, 2]
    assert [path.name for path in yard.folder.iterdir()] == ["old"]
    yard.slots.start(assignment("old"))
    assert (yard.in_hand(), yard.handed_back()) == ([1, 2], [])
    assert (yard.folder / "old" / "work").is_dir()


async def test_what_others_have_by_now_is_not_gone_on_with(yard: Yard) -> None:
    """Neither before its slot is assigned again nor after, and nobody is told; other leases are as they were."""
    yard.slots.lost(frozenset({("lease", 1), ("another", 2)}))
    assert yard.in_hand() == [2]
    yard.slots.start(assignment("old"))
    yard.slots.lost(frozenset({("another", 2)}))
    assert yard.in_hand() == [2]
    yard.slots.lost(frozenset({("lease", 2)}))
    assert (yard.in_hand(), yard.handed_back()) == ([], [])


async def test_another_slot_hands_them_back(yard: Yard) -> None:
    """A vehicle that gets other work does not keep what nobody will go on with."""
    yard.slots.start(assignment("new"))
    assert (yard.in_hand(), yard.handed_back()) == ([], [("", [1, 2])])


async def test_a_slot_that_the_gateway_has_ended_hands_them_back(yard: Yard) -> None:
    """The gateway's answer to a slot that is gone there, too."""
    yard.slots.end(pb.EndAssignment(pod_uid="old", reason="PodGone"))
    assert yard.said("old") == [(True, "PodGone")]
    assert (yard.in_hand(), yard.handed_back()) == ([], [("PodGone", [1, 2])])


async def test_a_start_that_the_guard_forbids_hands_them_back(yard: Yard) -> None:
    """The gateway is told why, and told it again when it asks again: the slot is not tried twice."""
    yard.state = UNPLUGGED
    yard.slots.start(assignment("old"))
    assert yard.handed_back() == [("NotCharging", [1, 2])]
    yard.state = MAY_START
    assert yard.slots.repeat("old")
    assert yard.said("old") == [(True, "NotCharging")] * 2


async def test_a_grant_of_what_is_in_hand_changes_nothing(yard: Yard) -> None:
    """The gateway may say it twice: the shard stays where it is, and is not handed back."""
    yard.slots.start(assignment("old"))
    held = yard.slots.in_hand()
    again = pb.LeaseGrant(pod_uid="old", lease="lease", shards=[each.shard for each in held])
    yard.slots.granted(again)
    assert (yard.in_hand(), yard.handed_back()) == ([1, 2], [])


async def test_a_badly_named_grant_is_dropped(yard: Yard) -> None:
    """With a slot or without: a shard that is named like a path is neither taken nor given back."""
    yard.slots.start(assignment("old"))
    for uid, shard in (("old", 3), ("gone", 4)):
        bad = pb.LeasedShard(shard=shard, attempt="../owner/limits.json")
        good = pb.LeasedShard(shard=shard + 10, attempt=f"a-{shard + 10}")
        yard.slots.granted(pb.LeaseGrant(pod_uid=uid, lease="new", shards=[bad, good]))
    assert (yard.in_hand(), yard.handed_back()) == ([1, 2, 13], [("", [14])])


async def test_a_refused_assignment_is_not_remembered(yard: Yard) -> None:
    """A forged one must not keep the vehicle from a good one for the same slot."""
    yard.slots.refuse("new", Reason.ASSIGNMENT_REFUSED, "its counter is too low")
    assert not yard.slots.repeat("new")
    yard.slots.start(assignment("new"))
    assert yard.said("new") == [(True, "AssignmentRefused"), (False, "")]


async def test_a_wipe_hands_everything_back(yard: Yard) -> None:
    """Once the slots have ended, nothing is in hand and no log is known."""
    yard.slots.start(assignment("new"))
    yard.slots.end_all(Ending(Reason.NO_CONSENT, "the owner took back the consent"))
    assert await yard.slots.have_ended(20)
    async with asyncio.timeout(10):
        await yard.slots.forget(Reason.NO_CONSENT)
    assert (yard.in_hand(), yard.slots.logs_of("new")) == ([], None)
    assert yard.said("new")[-1] == (True, "NoConsent")
