"""Nodes that belong to somebody: they are made for their owner, corrected when they are not, and not made without."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parkade_core.kubelet.node import NodeDesire, owner_patch, place_patch
from parkade_core.vehicle.node import node_labels, vehicle_nodes
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.owner import Owner
from support.apiserver import ApiServer, serving
from support.objects import Object, node

ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/parkade-gateway"
REFERENCE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "name": "parkade-gateway",
    "uid": "role-1",
}
# What a Node says at its birth, so that nothing has to be written after it.
DESIRE = NodeDesire(
    labels=node_labels("v1", {"parkade.dev/region": "eu"}, "home"),
    taints=(("parkade.dev/unknown", "", "NoSchedule"),),
)


def role(uid: str = "role-1", **meta: object) -> Object:
    """The ClusterRole as the API server has it."""
    named = {"name": "parkade-gateway", "uid": uid} | meta
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": named}


@dataclass
class Ground:
    """A controller of owned Nodes, and a clock to turn."""

    api: ApiServer
    nodes: NodeController
    owner: Owner
    now: float = 0.0


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """Everything before an API server that answers as ordered."""
    async with serving(tmp_path) as (api, client):
        owner = Owner(client, ROLE, lambda: found.now)
        kind = vehicle_nodes("127.0.0.1", 10250)
        found = Ground(api, NodeController(client, "gateway-a", kind, lambda: None, owner), owner)
        yield found


@pytest.mark.parametrize(
    ("status", "reason", "answer"),
    [(404, "NotFound", None), (403, "Forbidden", None), (200, "", role(deletionTimestamp="now"))],
)
async def test_no_node_is_made_without_its_owner(
    ground: Ground, status: int, reason: str, answer: Object | None
) -> None:
    """Gone, going, or not to be read because our own role went with it: nothing is created, and it is said once."""
    ground.nodes.desire("v1", DESIRE)
    with capture_logs() as logs:
        for _ in range(2):
            if answer is None:
                ground.api.refuse(status, reason, "no")
            else:
                ground.api.answer(answer)
            await ground.nodes.write("v1")
    assert [path for path, _ in ground.api.requests("GET")] == [ROLE, ROLE]
    assert ground.api.requests("POST") == []
    assert len(logs) == (0 if answer else 1)


async def test_a_node_is_made_for_the_owner_as_it_is_now(ground: Ground) -> None:
    """The uid is read right before the Node is created, because a release may have been installed anew."""
    ground.nodes.desire("v1", DESIRE)
    ground.api.answer(role("role-2"), node(ownerReferences=[REFERENCE | {"uid": "role-2"}]))
    ground.api.answer({})
    await ground.nodes.write("v1")
    (_, born), *_ = ground.api.requests("POST")
    assert born is not None
    assert born["metadata"]["ownerReferences"] == [REFERENCE | {"uid": "role-2"}]


async def test_the_owner_is_not_asked_for_with_every_write(ground: Ground) -> None:
    """For what exists already, an answer of some seconds ago is good enough."""
    ground.api.answer(role(), role("role-2"))
    for at, uid in ((0.0, "role-1"), (29.0, "role-1"), (31.0, "role-2")):
        ground.now = at
        assert (await ground.owner.recent() or {})["uid"] == uid
    assert len(ground.api.asked) == 2


def test_whose_a_node_is() -> None:
    """An owner of another kind stays; an older one of the same kind goes; what is right is not written."""
    other = {"apiVersion": "example.com/v1", "kind": "Fleet", "name": "f", "uid": "f-1"}
    stale = REFERENCE | {"uid": "role-0"}
    patch = owner_patch(node(ownerReferences=[other, stale]), REFERENCE)
    assert patch == {"metadata": {"resourceVersion": "7", "ownerReferences": [other, REFERENCE]}}
    assert owner_patch(node(), REFERENCE) is not None
    assert owner_patch(node(ownerReferences=[REFERENCE, other]), REFERENCE) is None


def test_where_a_nodes_kubelet_answers() -> None:
    """A new leader's address and port replace those of the one before, whatever type those had."""
    newborn = vehicle_nodes("10.0.0.7", 10250).newborn("v1", {}, "now")
    patch = place_patch(node(), newborn)
    assert patch is not None
    assert patch["status"]["addresses"] == [
        {"type": "InternalIP", "address": "10.0.0.7"},
        {"$patch": "replace"},
    ]
    assert place_patch(newborn, newborn) is None
