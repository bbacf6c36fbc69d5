"""Which pods are slots of which batch, as far as the gateway believes it."""

from pathlib import Path

import pytest

from parkade_core.vehicle.node import vehicle_nodes
from parkade_core.vehicle.pod import slot_rules
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
    async with serving(tmp_path) as (_, client):
        events = EventRecorder(client, "test")
        pods = PodController(client, lambda _: True, slot_rules("127.0.0.1"), events, lambda: None)
        nodes = NodeController(client, "test", vehicle_nodes("127.0.0.1", 10250), lambda: None)
        vehicles = Vehicles(nodes, pods, Pools(client, lambda: None), lambda: 0.0, lambda: None)
        sessions = Sessions()
        slots = VehicleSlots(sessions, vehicles, pods, {UID: digest}.get, {UID: namespace}.get)
        session = sessions.enter(Identity("v1"))
        pods._take(slot_pod(), True)
        await slots.run(slot_pod())
    assert (slots.slot_of("v1", UID) is not None) is is_slot
    assert slots.slot_of("v1", "another") is None
    assert (not session._outbox.empty()) is is_assigned
