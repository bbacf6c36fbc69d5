"""The patches that carry an assessment to a vehicle's Node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.wellknown import LABEL_POOL, LABEL_VEHICLE, RESOURCE_SLOT, Condition, Taint
from parkade_core.kubelet.node import TaintRow, lease, metadata_patch, status_patch, taints_patch
from parkade_core.vehicle.node import newborn, node_labels, node_name, slots_allocatable, vehicle_of
from support.objects import BORN, LATER, node, patched

DRIVING: TaintRow = ("parkade.dev/driving", "", "NoExecute")
WARM: TaintRow = ("parkade.dev/thermal", "warm", "PreferNoSchedule")
HOT: TaintRow = ("parkade.dev/thermal", "hot", "NoExecute")
CORDON: TaintRow = ("node.kubernetes.io/unschedulable", "", "NoSchedule")
PARKED = ("VehicleParked", "True", "VehicleParked", "in park for 700 s")

OURS = frozenset(Taint)
OPEN, CLOSED = slots_allocatable(is_open=True), slots_allocatable(is_open=False)

_OURS = st.tuples(st.sampled_from(sorted(Taint)), st.sampled_from(["", "hot"]), st.just("NoExecute"))
_OTHERS = st.tuples(st.sampled_from(["a/b", "node.kubernetes.io/x"]), st.just("v"), st.just("NoSchedule"))


def rows(of: object) -> list[TaintRow]:
    """The taints of a Node or of its patch, as rows."""
    return [(t["key"], t.get("value", ""), t["effect"]) for t in of["spec"]["taints"]]  # type: ignore[index]


def test_a_newborn_node_is_ready_and_closed() -> None:
    """Nothing can be bound to a Node whose vehicle is not known yet."""
    made = newborn("v1", {"absent": ""}, "127.0.0.1", 10250, BORN)
    assert made["metadata"]["labels"] == {}
    assert rows(made) == [
        ("virtual-kubelet.io/provider", "parkade", "NoSchedule"),
        ("parkade.dev/unknown", "", "NoSchedule"),
    ]
    assert made["status"]["allocatable"][RESOURCE_SLOT] == "0"
    statuses = {item["type"]: item["status"] for item in made["status"]["conditions"]}
    assert statuses == {"Ready": "True"} | {str(kind): "Unknown" for kind in Condition}


def test_labels_tell_vehicle_pool_and_claims() -> None:
    """A claim cannot pose as the vehicle's own labels, and a vehicle in no pool has no pool's label."""
    claims = {"parkade.dev/region": "eu", LABEL_VEHICLE: "another"}
    labels = node_labels("v1", claims, "home")
    assert (labels[LABEL_VEHICLE], labels[LABEL_POOL], labels["parkade.dev/region"]) == ("v1", "home", "eu")
    assert node_labels("v1", claims | {LABEL_POOL: "home"}, None)[LABEL_POOL] == ""
    assert labels["beta.kubernetes.io/os"] == labels["kubernetes.io/os"] == "linux"


@pytest.mark.parametrize(("name", "vehicle"), [("vehicle-v1", "v1"), ("worker-1", None), ("vehicle-", "")])
def test_a_name_tells_the_vehicle(name: str, vehicle: str | None) -> None:
    """Only a Node with our prefix is a vehicle's."""
    assert vehicle_of(name) == vehicle
    assert vehicle is None or node_name(vehicle) == name


@pytest.mark.parametrize(
    ("has", "ours", "then"),
    [
        ([], [DRIVING], [DRIVING]),
        ([CORDON, DRIVING], [], [CORDON]),
        ([WARM, CORDON], [HOT], [CORDON, HOT]),
        ([DRIVING, HOT], [HOT, DRIVING], None),
        ([CORDON], [], None),
    ],
)
def test_only_our_taints_change(
    has: list[TaintRow], ours: list[TaintRow], then: list[TaintRow] | None
) -> None:
    """Taints of others stay as they are; a Node that says it already, in any order, needs no patch."""
    patch = taints_patch(node(taints=has), ours, OURS)
    assert (rows(patch) if patch else None) == then


def test_a_taints_patch_names_the_version_it_was_computed_from() -> None:
    """The list is replaced whole, so another writer must turn the patch into a conflict."""
    patch = taints_patch(node(taints=[], resourceVersion="41"), [DRIVING], OURS)
    assert patch is not None
    assert patch["metadata"] == {"resourceVersion": "41"}


@given(st.lists(_OURS | _OTHERS, unique_by=lambda row: row[0]), st.lists(_OURS, unique_by=lambda row: row[0]))
def test_a_taints_patch_is_right_and_needed_once(has: list[TaintRow], ours: list[TaintRow]) -> None:
    """After the patch our taints are as wanted, those of others as before, and no second patch is needed."""
    before = node(taints=has)
    after = patched(before, taints_patch(before, ours, OURS) or {})
    assert {row for row in rows(after) if row[0] in set(Taint)} == set(ours)
    assert [row for row in rows(after) if row[0] not in set(Taint)] == [
        r for r in has if r[0] not in set(Taint)
    ]
    assert taints_patch(after, ours, OURS) is None


@pytest.mark.parametrize(
    ("verdict", "since"),
    [
        (("VehicleParked", "True", "VehicleParked", "in park"), LATER),
        (("VehicleParked", "Unknown", "Silent", "no telemetry yet"), BORN),
    ],
)
def test_a_transition_is_a_change_of_status(verdict: tuple[str, str, str, str], since: str) -> None:
    """A new reason is written, too, but leaves lastTransitionTime."""
    patch = status_patch(node(), [verdict], CLOSED, LATER)
    assert patch is not None
    (condition,) = patch["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"], condition["message"]) == verdict
    assert (condition["lastTransitionTime"], condition["lastHeartbeatTime"]) == (since, LATER)


def test_a_number_that_moves_is_no_change() -> None:
    """Another message with the same status and reason is not written: it would be a heartbeat."""
    verdict = ("VehicleParked", "Unknown", "Unknown", "parked for 17 s of 600 s")
    assert status_patch(node(), [verdict], CLOSED, LATER) is None


def test_a_status_patch_holds_only_what_differs() -> None:
    """Slots and conditions are written once; what stands already is not sent again."""
    first = status_patch(node(), [PARKED], OPEN, LATER)
    assert first is not None
    assert first["status"]["allocatable"] == {RESOURCE_SLOT: "1"}
    after = patched(node(), first)
    assert after["status"]["allocatable"]["cpu"] == "8"
    assert status_patch(after, [PARKED], OPEN, LATER) is None
    closing = status_patch(after, [PARKED], CLOSED, LATER)
    assert closing == {"status": {"allocatable": {RESOURCE_SLOT: "0"}}}


@pytest.mark.parametrize(
    ("labels", "patch"),
    [
        ({"a": "1"}, None),
        ({"absent": ""}, None),
        ({"a": "2", "new": "x"}, {"a": "2", "new": "x"}),
        ({"a": ""}, {"a": None}),
    ],
)
def test_labels_are_set_and_removed(labels: dict[str, str], patch: dict[str, str | None] | None) -> None:
    """An empty value removes a label; other labels are left alone."""
    found = metadata_patch({"metadata": {"labels": {"a": "1", "theirs": "y"}}}, labels)
    assert found == (None if patch is None else {"metadata": {"labels": patch}})


def test_a_lease_goes_with_its_node() -> None:
    """The Lease is owned by the Node, so deleting the Node leaves nothing."""
    made = lease("vehicle-v1", "node-uid", "gateway-a", "2026-01-01T00:00:00.000000Z", 40)
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Node", "vehicle-v1", "node-uid")
    assert (made["metadata"]["name"], made["spec"]["leaseDurationSeconds"]) == ("vehicle-v1", 40)
