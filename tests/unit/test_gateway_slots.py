"""Which pods are slots of which batch, what vehicles are ordered, and how much of their words is believed."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.vehicle.node import vehicle_nodes
from parkade_core.vehicle.pod import slot_rules
from parkade_operator.door.orders import Orders
from parkade_operator.door.sessions import Sessions
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.pools import Pools
from parkade_operator.gateway.slots import VehicleSlots
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.pods import PodController
from support.apiserver import serving
from support.objects import UID, slot_pod

Desk = tuple[VehicleSlots, Sessions, PodController]


@contextlib.asynccontextmanager
async def slots_of(
    folder: Path, digests: Mapping[str, str | None], namespaces: Mapping[str, str | None]
) -> AsyncIterator[Desk]:
    """The slots of a gateway that knows batches of these digests and namespaces."""
    async with serving(folder) as (_, client):
        events = EventRecorder(client, "test")
        pods = PodController(client, lambda _: True, slot_rules("127.0.0.1"), events, lambda: None)
        nodes = NodeController(client, "test", vehicle_nodes("127.0.0.1", 10250), lambda: None)
        vehicles = Vehicles(nodes, pods, Pools(client, lambda: None), lambda: 0.0, lambda: None)
        sessions = Sessions()
        yield VehicleSlots(sessions, vehicles, pods, digests.get, namespaces.get), sessions, pods


@pytest.mark.parametrize(
    ("namespace", "digest", "is_slot", "is_assigned"),
    [
        ("team", "sha256:1", True, True),
        ("others", "sha256:1", False, False),
        # After a restart vehicles may dial in before the operator has said what it wants.
        (None, None, True, False),
    ],
)
async def test_a_batch_is_worked_on_in_its_own_namespace_only(
    tmp_path: Path, namespace: str | None, digest: str | None, *, is_slot: bool, is_assigned: bool
) -> None:
    """A tenant's pod that bears the uid of somebody else's batch gets neither its shards nor its bundle."""
    async with slots_of(tmp_path, {UID: digest}, {UID: namespace}) as (slots, sessions, pods):
        session = sessions.enter(Identity("v1"))
        pods._take(slot_pod(), True)
        await slots.run(slot_pod())
    assert (slots.slot_of("v1", UID) is not None) is is_slot
    assert slots.slot_of("v1", "another") is None
    assert (not session._outbox.empty()) is is_assigned


async def test_an_assignment_names_its_vehicle_and_is_the_next_of_its_session(tmp_path: Path) -> None:
    """Every slot that a session is told of has the session's nonce and a number of its own."""
    hello = pb.Hello(nonce=bytes(16), last_counter=41, clock_milliseconds=1000)
    async with slots_of(tmp_path, {UID: "sha256:1"}, {UID: "team"}) as (slots, sessions, pods):
        session = sessions.enter(Identity("v1"), Orders.begun(hello, lambda: 7.0))
        for uid in ("pod-1", "pod-2", "pod-1"):
            pods._take(slot_pod(uid=uid, name=uid), True)
            await slots.run(slot_pod(uid=uid, name=uid))
        sent = [session._outbox.get_nowait() for _ in range(session._outbox.qsize())]
    orders = [message.assignment for message in sent if message]
    assert [(order.pod_uid, order.counter) for order in orders] == [("pod-1", 42), ("pod-2", 43)]
    assert {(order.vehicle, order.nonce, order.not_after_milliseconds) for order in orders} == {
        ("v1", bytes(16), 61_000)
    }


@pytest.mark.parametrize(("has", "is_told"), [([], True), ([pb.SlotStatus(pod_uid="pod-1")], False)])
async def test_a_slot_is_assigned_once_a_session(
    tmp_path: Path, has: list[pb.SlotStatus], *, is_told: bool
) -> None:
    """A vehicle that dials again may have lost what it was told, unless it says that it has it."""
    async with slots_of(tmp_path, {UID: "sha256:1"}, {UID: "team"}) as (slots, sessions, pods):
        pods._take(slot_pod(), True)
        await slots.run(slot_pod())
        for slots_it_has in ([], has):
            session = sessions.enter(Identity("v1"))
            slots.session_opened(session, slots_it_has)
            await slots.run(slot_pod())
            await slots.run(slot_pod())
        assert session._outbox.qsize() == is_told
        assert slots.report(session, pb.SlotStatus(pod_uid="pod-1", ended=True)) == UID
    assert session.assigned == set()


async def test_a_vehicles_words_are_bounded(tmp_path: Path) -> None:
    """Whatever it says of a slot, the pod's status gets known containers, plain text of some length, and real times."""
    wild = pb.ContainerState(
        name="runner",
        phase=pb.ContainerState.TERMINATED,
        reason="R" * 10_000,
        message="a\x1b[2Jb" + "m" * 10_000,
        started_unix_milliseconds=2**62,
        finished_unix_milliseconds=-1,
        restarts=-5,
    )
    slot = pb.SlotStatus(pod_uid="pod-1", containers=[wild, pb.ContainerState(name="mine")], ended=True)
    slot.reason, slot.message = "\x00", "x" * 10_000
    async with slots_of(tmp_path, {}, {UID: "team"}) as (slots, sessions, pods):
        session = sessions.enter(Identity("v1"))
        pods._take(slot_pod(), True)
        assert slots.report(session, slot) == UID
        view = pods.view("pod-1")
    runner = view.containers["runner"]
    assert set(view.containers) == {"runner"}
    assert (len(runner.reason), len(runner.message), len(view.message), view.reason) == (
        64,
        1024,
        1024,
        "\\u0000",
    )
    assert runner.message.startswith("a\\u001b[2Jb")
    assert (runner.started_at, runner.finished_at, runner.restarts) == ("", "", 0)
