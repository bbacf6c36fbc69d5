"""A real agent obeys every good assignment and none of the forged ones between them, also after it was killed."""

import asyncio
import signal
from pathlib import Path

import pytest

import support.crashing
from parkade_agent.assignments import Assignments
from parkade_agent.journal.attempts import Left
from parkade_agent.journal.journal import Journal
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Reason
from parkade_hack.proc import descendants
from support.bare import BareDoor
from support.booking import attempt
from support.crashing import FOLDER, Point, Points
from support.forged import FORGERIES
from support.vehicles import (
    Certificates,
    certificates,
    open_door,
    running_agent,
)

REFUSED = "AssignmentRefused"
CRASHING = ("support.crashing", "parkade_agent")


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


async def test_forged_assignments_between_good_ones(tmp_path: Path, certs: Certificates) -> None:
    """All bad ones are refused, with a reason; all good ones are obeyed, and nothing is run for any other."""
    door = BareDoor()
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs) as agent:
        await door.until(lambda d: d.policy_followed())
        obeyed: list[pb.Assignment] = []
        for number in range(12):
            obeyed.append(door.order(f"early-{number}"))
            await door.obeyed(obeyed[-1])
        for number, forgery in enumerate(FORGERIES):
            forged = forgery.make(door.order(f"bad-{number}"), obeyed)
            door.counter -= 1  # nobody has obeyed it
            before = len(door.statuses(forged.pod_uid))
            door.say(pb.GatewayMessage(assignment=forged))
            obeyed.append(door.order(f"good-{number}"))
            await door.obeyed(obeyed[-1])
            (said,) = door.statuses(forged.pod_uid)[before:]
            assert (said.ended, said.reason) == (True, REFUSED), forgery.name
        folders = {path.name for path in (agent.state / "slots").iterdir()}
        assert folders <= {order.pod_uid for order in obeyed}
        assert descendants(agent.process.pid) == []
    assert len(FORGERIES) >= 40
    assert Journal(tmp_path / "state" / "journal.sqlite").last_counter() == obeyed[-1].counter


async def test_repeating_an_assignment_changes_nothing(tmp_path: Path, certs: Certificates) -> None:
    """The vehicle says again how the slot stands, and a forged one for a slot that runs does not end it."""
    door = BareDoor()
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        order = door.order("pod-1")
        for change in ({}, {}, {"nonce": b"x"}, {"counter": 0}):
            repeated = pb.Assignment()
            repeated.CopyFrom(order)
            for name, value in change.items():
                setattr(repeated, name, value)
            door.say(pb.GatewayMessage(assignment=repeated))
        statuses = await door.until(lambda d: len(d.statuses()) >= 4 and d.statuses())
        assert not any(status.ended for status in statuses)


class Heard:
    """Slots that only note what they are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.has_ended = asyncio.Event()

    def repeat(self, pod_uid: str) -> bool:
        """There is none."""
        return not pod_uid

    def start(self, assignment: pb.Assignment) -> None:
        """Begins."""
        self.told.append(("start", assignment.pod_uid))

    def refuse(self, pod_uid: str, reason: Reason, message: str) -> None:
        """Says no."""
        self.told.append((f"{reason}: {message}", pod_uid))

    def end(self, end: pb.EndAssignment) -> None:
        """Ends."""
        self.told.append(("end", end.pod_uid))
        if end.pod_uid == "last":
            self.has_ended.set()


async def test_a_new_session_is_told_nothing_of_the_orders_of_the_last(tmp_path: Path) -> None:
    """An assignment that waited is not refused in the new one, which may have assigned the same slot; an end counts."""
    heard = Heard()
    assignments = Assignments(Journal(tmp_path / "journal.sqlite"), heard, lambda: "ada", lambda _: None)
    assignments.introduce(pb.Hello())
    assignments.hear(pb.Assignment(pod_uid="pod-1"))
    assignments.hear(pb.EndAssignment(pod_uid="pod-2"))
    assignments.introduce(pb.Hello())
    assignments.hear(pb.EndAssignment(pod_uid="last"))
    obeying = asyncio.create_task(assignments.run())
    async with asyncio.timeout(10):
        await heard.has_ended.wait()
    obeying.cancel()
    await asyncio.wait([obeying])
    assert heard.told == [("end", "pod-2"), ("end", "last")]


async def test_what_could_not_be_read_at_the_start_is_taken_up_later(tmp_path: Path) -> None:
    """From a journal that heals; a Hello asks no disk, and nothing is taken up twice."""
    path, left = tmp_path / "journal.sqlite", list[Left]()
    journal = Journal(path)
    journal.obey(7, "pod", "batch", "sha256:")
    journal.attempts.take([attempt(1)])
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(b"no database at all, " * 300)
    assignments = Assignments(Journal(path), Heard(), lambda: "ada", left.append)
    assignments.introduce(hello := pb.Hello())
    assert (hello.last_counter, await assignments.recall(), assignments.is_ready) == (0, False, False)
    path.write_bytes(whole)
    assert await assignments.recall()
    assignments.introduce(hello := pb.Hello())
    assert (hello.last_counter, [[each.attempt for each in some.open] for some in left]) == (
        7,
        [[attempt(1)]],
    )


@pytest.mark.parametrize("side", ["before", "after"])
async def test_a_kill_never_rolls_the_counter_back(
    tmp_path: Path, certs: Certificates, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at the write of the counter: what was written is refused for ever, and the next one is obeyed."""
    points = Points(tmp_path / "crashes")
    points.arm([Point("agent", "note assignment", side)])
    monkeypatch.setenv(FOLDER, str(points.folder))
    monkeypatch.setenv("PYTHONPATH", str(Path(support.crashing.__file__).parents[1]))
    door = BareDoor()
    async with open_door(door, certs) as port:
        async with running_agent(tmp_path, port, certs, command=CRASHING) as agent:
            await door.until(lambda d: d.policy_followed())
            killed = door.order("killed")
            door.say(pb.GatewayMessage(assignment=killed))
            assert await agent.process.wait() == -signal.SIGKILL
        assert door.statuses("killed") == []
        async with running_agent(tmp_path, port, certs, command=CRASHING):
            await door.until(lambda d: len([m for m in d.heard if m.HasField("hello")]) == 2)
            await door.until(lambda d: d.policy_followed())
            assert door.hello.last_counter == (1 if side == "after" else 0)
            door.say(pb.GatewayMessage(assignment=killed))
            refused = await door.until(lambda d: d.ended("killed"))
            assert (refused.reason, "of another session" in refused.message) == (REFUSED, True)
            rolled_back = door.order("rolled-back")
            rolled_back.counter = door.hello.last_counter
            door.say(pb.GatewayMessage(assignment=rolled_back))
            assert (await door.until(lambda d: d.ended("rolled-back"))).reason == REFUSED
            await door.obeyed(door.order("next"))
