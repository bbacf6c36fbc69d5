"""What the operator is told of each batch's slots, counted from pods and vehicles."""

from pathlib import Path

from parkade_core.batch.progress import BatchState, Progress
from parkade_core.kubelet.pod import NOT_STARTED, ContainerView, PodView
from parkade_core.vehicle.node import vehicle_nodes
from parkade_core.vehicle.pod import slot_rules
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.pools import Pools
from parkade_operator.gateway.reclaims import ReclaimLog
from parkade_operator.gateway.snapshot import Overview
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.pods import PodController
from support.apiserver import serving
from support.objects import Object, patched, slot_pod

UP = ContainerView(phase="Running", ready=True)
BUSY = PodView({"sidecar": UP, "runner": UP})
IDLE = PodView({"sidecar": UP, "runner": ContainerView(phase="Running", ready=False)})
ENDED = PodView({"sidecar": UP, "runner": UP}, ended=True)
SLOTS = [
    ("a", "here", BUSY),
    ("a", "here", IDLE),
    ("a", "here", ENDED),
    ("a", "away", BUSY),
    ("b", "here", NOT_STARTED),
    ("", "here", BUSY),
]


def slot(number: int, batch: str, vehicle: str) -> Object:
    """A slot of *batch* on *vehicle*."""
    label = {"parkade.dev/batch-uid": batch or None}
    return patched(slot_pod(vehicle, uid=f"pod-{number}"), {"metadata": {"labels": label}})  # type: ignore[no-any-return]


async def test_each_batch_is_told_its_own_slots(tmp_path: Path) -> None:
    """Those of vehicles that are silent count apart, those that have ended and those of no batch do not count."""
    async with serving(tmp_path) as (_, client):
        events = EventRecorder(client, "test")
        pods = PodController(client, lambda _: True, slot_rules("127.0.0.1"), events, lambda: None)
        nodes = NodeController(client, "test", vehicle_nodes("127.0.0.1", 10250), lambda: None)
        pools = Pools(client, lambda: None)
        vehicles = Vehicles(nodes, pods, pools, lambda: 0.0, lambda: None)
        vehicles.connect(Identity("here"))
        for number, (batch, vehicle, view) in enumerate(SLOTS):
            pods._take(slot(number, batch, vehicle), True)
            pods.tell(f"pod-{number}", view)
        batches = [Progress(BatchState.RUNNING, uid=uid) for uid in ("a", "b", "c")]
        log = ReclaimLog(vehicles.pool_of, lambda: 0.0)
        told = Overview(lambda: batches, pools, vehicles, pods, log).snapshot().batches
    counts = {
        item.uid: (item.slots_running, item.slots_idle, item.slots_starting, item.slots_silent)
        for item in told
    }
    assert counts == {"a": (2, 1, 0, 1), "b": (0, 0, 1, 0), "c": (0, 0, 0, 0)}
