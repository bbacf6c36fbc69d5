"""What the gateway knows of vehicles, whatever they send and whatever pods stand on their Nodes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_api import vss
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.vehicle.node import newborn, vehicle_nodes
from parkade_core.vehicle.pod import slot_rules
from parkade_core.vehicle.readings import Reading
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.pools import Pools
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.pods import PodController
from support.apiserver import serving
from support.objects import BORN, UID, slot_pod

LOCK = pb.Signal(path=vss.LOW_VOLTAGE_STATE, text="LOCK")


class Fleet:
    """The vehicles of one gateway, on a clock that stands, and the controllers they are joined to."""

    def __init__(self, nodes: NodeController, pods: PodController, pools: Pools) -> None:
        self.nodes = nodes
        self.pods = pods
        self.vehicles = Vehicles(nodes, pods, pools, lambda: 1000.0, lambda: None)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A gateway that has heard nothing yet."""
    async with serving(tmp_path) as (_, client):
        nodes = NodeController(client, "test", vehicle_nodes("127.0.0.1", 10250), lambda: None)
        events = EventRecorder(client, "test")
        pods = PodController(client, lambda _: True, slot_rules("127.0.0.1"), events, lambda: None)
        yield Fleet(nodes, pods, Pools(client, lambda: None))


async def test_a_pod_made_by_hand_blinds_nobody(fleet: Fleet) -> None:
    """A pod without labels on a vehicle's Node is no work of a batch, and hides none."""
    fleet.vehicles.connect(Identity("v1"))
    stranger = slot_pod(name="by-hand", uid="pod-0")
    del stranger["metadata"]["labels"]
    fleet.pods._take(stranger, True)
    assert [view.busy_with for view in fleet.vehicles.views()] == [None]
    fleet.pods._take(slot_pod(), True)
    assert [view.busy_with for view in fleet.vehicles.views()] == [UID]


async def test_only_what_is_read_is_kept_of_a_vehicle(fleet: Fleet) -> None:
    """Paths of the vehicle's own making and texts of any length cost the gateway no memory."""
    made_up = [pb.Signal(path=f"Vehicle.Mine.{number}", number=1) for number in range(100)]
    long = pb.Signal(path=vss.LOW_VOLTAGE_STATE, text="L" * 65)
    fleet.vehicles.hear(Identity("v1"), pb.Telemetry(signals=[LOCK, *made_up, long]))
    assert fleet.vehicles._vehicles["v1"].received == {vss.LOW_VOLTAGE_STATE: (Reading("LOCK", 0.0), 1000.0)}


async def test_a_claim_that_a_vehicle_lost_leaves_its_node(fleet: Fleet) -> None:
    """A pool must not select a vehicle by what an earlier certificate said of it; others' labels stay."""
    before = {"parkade.dev/vehicle": "v1", "parkade.dev/region": "eu", "parkade.dev/fleet": "a", "rack": "7"}
    fleet.nodes._take(newborn("v1", before, "127.0.0.1", 10250, BORN), True)
    fleet.vehicles.hear(Identity("v1", {"parkade.dev/region": "us"}), pb.Telemetry(signals=[LOCK]))
    wanted = fleet.nodes._desires["v1"].labels
    assert wanted["parkade.dev/fleet"] == ""
    assert (wanted["parkade.dev/region"], wanted["parkade.dev/vehicle"]) == ("us", "v1")
    assert "rack" not in wanted
