"""What the gateway knows of vehicles, whatever they send and whatever pods stand on their Nodes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_api import vss
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import ANNOTATION_QUARANTINED, Condition, Taint
from parkade_core.vehicle.node import newborn, vehicle_nodes
from parkade_core.vehicle.pod import slot_rules
from parkade_core.vehicle.readings import Reading
from parkade_operator.door.sessions import Sessions
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.pools import Pools
from parkade_operator.gateway.slots import VehicleSlots
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.pods import PodController
from support.apiserver import ApiServer, serving
from support.objects import BORN, UID, node, slot_pod
from support.parked import PARKED

LOCK = pb.Signal(path=vss.LOW_VOLTAGE_STATE, text="LOCK")
IN_PARK = [
    pb.Signal(path=path, flag=value) if isinstance(value, bool) else pb.Signal(path=path, number=value)
    for path, value in PARKED.items()
    if not isinstance(value, str)
]


class Fleet:
    """The vehicles of one gateway, on a clock that stands, and the controllers they are joined to."""

    def __init__(self, api: ApiServer, nodes: NodeController, pods: PodController, pools: Pools) -> None:
        self.api = api
        self.nodes = nodes
        self.pods = pods
        self.pools = pools
        self.now = 1000.0
        self.vehicles = Vehicles(nodes, pods, pools, lambda: self.now, lambda: None)

    def says(self, condition: Condition) -> tuple[str, str]:
        """Status and reason of a condition that the Node of v1 shall have."""
        desire = self.nodes._desires["v1"]
        return next((row[1], row[2]) for row in desire.verdicts if row[0] == condition)

    def taints(self) -> dict[str, str]:
        """The effect of each taint that the Node of v1 shall have."""
        return {key: effect for key, _, effect in self.nodes._desires["v1"].taints}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A gateway that knows all pools, and has heard nothing yet."""
    async with serving(tmp_path) as (api, client):
        nodes = NodeController(client, "test", vehicle_nodes("127.0.0.1", 10250), lambda: None)
        events = EventRecorder(client, "test")
        pods = PodController(client, lambda _: True, slot_rules("127.0.0.1"), events, lambda: None)
        pools = Pools(client, lambda: None)
        pools.synced.set()
        yield Fleet(api, nodes, pods, pools)


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


async def test_a_vehicle_that_knows_no_signal_is_judged_when_it_speaks(fleet: Fleet) -> None:
    """A new gateway leaves a Node as it was until then; one whose broker is gone must not stay open."""
    fleet.pools._take(POOL, True)
    fleet.nodes._take(node(), True)
    fleet.vehicles.adopt()
    fleet.vehicles.connect(Identity("v1"))
    assert "v1" not in fleet.nodes._desires
    assert fleet.vehicles.silent_for("v1") is None
    fleet.vehicles.hear(Identity("v1"), pb.Telemetry())
    assert fleet.says(Condition.VEHICLE_PARKED)[0] == "Unknown"
    assert Taint.UNKNOWN in fleet.taints()
    assert fleet.vehicles.silent_for("v1") == 0.0


async def test_a_claim_that_a_vehicle_lost_leaves_its_node(fleet: Fleet) -> None:
    """A pool must not select a vehicle by what an earlier certificate said of it; others' labels stay."""
    before = {"parkade.dev/vehicle": "v1", "parkade.dev/region": "eu", "parkade.dev/fleet": "a", "rack": "7"}
    fleet.nodes._take(newborn("v1", before, "127.0.0.1", 10250, BORN), True)
    fleet.vehicles.hear(Identity("v1", {"parkade.dev/region": "us"}), pb.Telemetry(signals=[LOCK]))
    wanted = fleet.nodes._desires["v1"].labels
    assert wanted["parkade.dev/fleet"] == ""
    assert (wanted["parkade.dev/region"], wanted["parkade.dev/vehicle"]) == ("us", "v1")
    assert "rack" not in wanted


POOL = {
    "metadata": {"name": "home", "generation": 1},
    "spec": {"selector": {}, "consent": {"termsVersion": "2", "scopes": ["public-data"]}},
}


async def test_a_pool_that_cannot_be_read_ends_no_work(fleet: Fleet) -> None:
    """Nobody deleted it: its vehicles keep their rules and get no new work until it can be read, or goes."""
    fleet.pools._take(POOL, True)
    fleet.vehicles.hear(Identity("v1"), telling())
    fleet.pools._take({**POOL, "spec": {"selector": {}, "stopPolicy": "OfTomorrow"}}, True)
    fleet.vehicles.judge_all()
    assert fleet.vehicles.policy("v1") is None
    assert fleet.says(Condition.POLICY_ALLOWS)[0] == "Unknown"
    assert Taint.POLICY not in fleet.taints()
    fleet.pools._take(POOL, True)
    assert fleet.vehicles.policy("v1") is not None
    fleet.pools._take({**POOL, "spec": {}}, True)
    fleet.pools._take(POOL, False)
    assert fleet.vehicles.policy("v1") == pb.Policy()


def telling(*judgements: pb.Judgement) -> pb.Telemetry:
    """Telemetry with the vehicle's own verdicts."""
    return pb.Telemetry(signals=[LOCK], judgements=judgements)


async def test_a_revoked_consent_is_on_the_node_as_soon_as_it_is_told(fleet: Fleet) -> None:
    """Until the vehicle has told, the Node is closed as unknown; its word closes at once and opens it again."""
    fleet.pools._take(POOL, True)
    fleet.vehicles.hear(Identity("v1"), telling())
    assert fleet.says(Condition.CONSENT_CURRENT) == ("Unknown", "Unknown")
    agreed = pb.Judgement(condition="ConsentCurrent", holds=True, message="terms 2")
    fleet.vehicles.hear(Identity("v1"), telling(agreed))
    assert fleet.says(Condition.CONSENT_CURRENT)[0] == "True"
    revoked = pb.Judgement(condition="ConsentCurrent", reason="NoConsent", effect="NoExecute")
    fleet.vehicles.hear(Identity("v1"), telling(revoked))
    assert fleet.says(Condition.CONSENT_CURRENT) == ("False", "NoConsent")
    assert fleet.taints()[Taint.CONSENT] == "NoExecute"
    assert [view.has_consent for view in fleet.vehicles.views()] == [False]


async def test_a_quarantine_on_the_node_closes_it_and_is_told(fleet: Fleet) -> None:
    """The annotation is the condition, a taint that keeps new work away, and a word to the guard."""
    fleet.pools._take(POOL, True)
    fleet.nodes._take(node(annotations={ANNOTATION_QUARANTINED: "two wrong\nresults"}), True)
    fleet.vehicles.hear(Identity("v1"), telling())
    assert fleet.says(Condition.TRUSTED) == ("False", "Quarantined")
    assert fleet.taints()[Taint.QUARANTINE] == "NoSchedule"
    assert [view.in_quarantine for view in fleet.vehicles.views()] == [True]
    policy = fleet.vehicles.policy("v1")
    assert policy is not None
    assert policy.quarantined == "two wrong\\u000aresults"
    fleet.nodes._take(node(), True)
    fleet.now += 61
    fleet.vehicles.hear(Identity("v1"), telling())
    assert fleet.says(Condition.TRUSTED)[0] == "True"
    assert fleet.vehicles.quarantines() == {}


async def test_shards_are_leased_to_slots_that_stay_in_vehicles_that_are_trusted(fleet: Fleet) -> None:
    """A vehicle in quarantine ends what it has and gets nothing new; so does a slot that is being deleted."""
    slots = VehicleSlots(Sessions(), fleet.vehicles, fleet.pods, {UID: "sha256:1"}.get, {UID: "team"}.get)
    assert not slots.may_lease("v1", UID)
    fleet.pods._take(slot_pod(), True)
    fleet.nodes._take(node(), True)
    assert slots.may_lease("v1", UID)
    fleet.nodes._take(node(annotations={ANNOTATION_QUARANTINED: "wrong results"}), True)
    assert not slots.may_lease("v1", UID)
    fleet.nodes._take(node(), True)
    fleet.pods._take(slot_pod(deletionTimestamp=BORN), True)
    assert not slots.may_lease("v1", UID)


async def test_a_vehicle_in_quarantine_is_not_forgotten_by_staying_away(fleet: Fleet) -> None:
    """Its pods go, its Node stays with what is written there, and goes when the vehicle is released."""
    fleet.pools._take(POOL, True)
    fleet.nodes._take(node(annotations={ANNOTATION_QUARANTINED: ""}), True)
    fleet.vehicles.adopt()
    fleet.now += 3601
    fleet.vehicles.judge("v1")
    await fleet.vehicles._depart("v1")
    assert fleet.api.requests("DELETE") == []
    assert fleet.vehicles.quarantines() == {"v1": "an administrator did not say why"}
    fleet.nodes._take(node(), True)
    fleet.vehicles.reconsider("v1")
    fleet.now += 3601
    fleet.vehicles.judge("v1")
    fleet.api.answer({})
    await fleet.vehicles._depart("v1")
    assert [path for path, _ in fleet.api.requests("DELETE")] == ["/api/v1/nodes/vehicle-v1"]


@pytest.mark.parametrize(("stale_after", "most_a_minute"), [("2s", 2), ("30s", 0)])
async def test_a_flapping_link_taints_little(fleet: Fleet, stale_after: str, most_a_minute: int) -> None:
    """Five seconds up, five down, for five minutes: a Node's taints change twice a minute at most, or never."""
    rules = {"telemetryStaleAfter": stale_after, "parkedFor": "0s"}
    spec = {"selector": {}, "eligibility": rules}
    fleet.pools._take({"metadata": {"name": "home", "generation": 1}, "spec": spec}, True)
    parked = pb.Telemetry(signals=[LOCK, *IN_PARK])
    fleet.vehicles.hear(Identity("v1"), parked)
    changes, before = [], fleet.taints()
    for second in range(300):
        fleet.now += 1
        if second % 10 < 5:
            fleet.vehicles.hear(Identity("v1"), parked)
        else:
            fleet.vehicles.judge("v1")
        if fleet.taints() != before:
            changes.append(fleet.now)
            before = fleet.taints()
    worst = max((sum(at <= other < at + 60 for other in changes) for at in changes), default=0)
    assert worst <= most_a_minute
    assert bool(changes) == bool(most_a_minute)


@pytest.mark.parametrize(
    ("stop", "effect"), [("Hold", "NoSchedule"), ("HoldAndDrain", "NoExecute"), ("None", None)]
)
async def test_a_pool_on_hold_closes_its_nodes(fleet: Fleet, stop: str, effect: str | None) -> None:
    """Hold keeps new work away, HoldAndDrain ends what runs; no vehicle has to agree."""
    spec = {"selector": {}, "stopPolicy": stop}
    fleet.pools._take({"metadata": {"name": "home", "generation": 1}, "spec": spec}, True)
    fleet.vehicles.hear(Identity("v1"), telling(pb.Judgement(condition="PolicyAllows", holds=True)))
    assert fleet.taints().get(Taint.POLICY) == effect
    expected = ("True", "PolicyAllows") if effect is None else ("False", "PoolOnHold")
    assert fleet.says(Condition.POLICY_ALLOWS) == expected
