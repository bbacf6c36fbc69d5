"""The Node controller's writes, one by one, and what it does when another writer was first."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from parkade_core.kubelet.node import NodeDesire
from parkade_core.vehicle.node import node_labels, slots_allocatable, vehicle_nodes
from parkade_operator.kube.errors import NotFound
from parkade_operator.kubelet.nodes import NodeController
from support.apiserver import ApiServer, serving
from support.objects import Object, node, patched

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NODES = "/api/v1/nodes"
NODE = f"{NODES}/vehicle-v1"
PARKED = ("VehicleParked", "True", "VehicleParked", "in park")
PROVIDER = ("virtual-kubelet.io/provider", "parkade", "NoSchedule")
UNKNOWN = ("parkade.dev/unknown", "", "NoSchedule")
OPEN = NodeDesire(
    labels=node_labels("v1", {"parkade.dev/region": "eu"}, "home"),
    verdicts=(PARKED,),
    allocatable=slots_allocatable(is_open=True),
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, NodeController]]:
    """A server that answers as ordered, and a controller of its Nodes."""
    async with serving(tmp_path) as (found, client):
        yield found, NodeController(client, "gateway-a", vehicle_nodes("127.0.0.1", 10250), lambda: None)


def opened(before: Object) -> tuple[Object, Object]:
    """A Node without our taints, and the same with its slot and condition."""
    bare = node(taints=[PROVIDER], labels=before["metadata"]["labels"])
    status = {"allocatable": {"parkade.dev/slot": "1"}, "conditions": [_condition()]}
    return bare, patched(bare, {"status": status})


def _condition() -> Object:
    kind, status, reason, message = PARKED
    return {"type": kind, "status": status, "reason": reason, "message": message}


def order_birth(server: ApiServer, born: Object) -> None:
    """Orders the answers to the creation of a Node and of its Lease."""
    server.answer(born)
    server.refuse(404, "NotFound", "no lease")
    server.answer({})


async def test_a_node_is_born_closed_then_opened_in_order(server: tuple[ApiServer, NodeController]) -> None:
    """The Lease follows the Node at once; taints go before conditions and slots, and nothing is written twice."""
    api, nodes = server
    bare, done = opened(node())
    order_birth(api, node())
    api.answer(bare, done)
    nodes.desire("v1", OPEN)
    await nodes.write("v1")
    await nodes.write("v1")
    assert [path for path, _ in api.requests("POST")] == [NODES, LEASES]
    paths = [path for path, _ in api.requests("PATCH")]
    assert paths == [f"{LEASES}/vehicle-v1", NODE, f"{NODE}/status"]
    assert nodes.get("v1") == done


async def test_a_node_that_exists_is_taken_over(server: tuple[ApiServer, NodeController]) -> None:
    """A gateway that starts anew finds the Node of an earlier one."""
    api, nodes = server
    bare, done = opened(node())
    api.refuse(409, "AlreadyExists", "nodes vehicle-v1 exists")
    api.answer(node(), {}, bare, done)
    nodes.desire("v1", OPEN)
    await nodes.write("v1")
    assert [path for path, _ in api.requests("GET")] == [NODE]
    assert nodes.get("v1") == done


async def test_a_lost_race_about_taints_is_run_again(server: tuple[ApiServer, NodeController]) -> None:
    """A taint that somebody set meanwhile is still there after our patch, which names the newer version."""
    api, nodes = server
    bare, done = opened(node())
    cordon = ("node.kubernetes.io/unschedulable", "", "NoSchedule")
    order_birth(api, node())
    api.refuse(409, "Conflict", "the object has been modified")
    api.answer(node(taints=[PROVIDER, UNKNOWN, cordon], resourceVersion="8"), bare, done)
    nodes.desire("v1", OPEN)
    await nodes.write("v1")
    first, second = (body for path, body in api.requests("PATCH") if path == NODE)
    assert first is not None
    assert second is not None
    assert (first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]) == ("7", "8")
    assert [taint["key"] for taint in second["spec"]["taints"]] == [PROVIDER[0], cordon[0]]


async def test_a_node_that_was_deleted_is_born_again(server: tuple[ApiServer, NodeController]) -> None:
    """An administrator's deletion ends the write; the next one starts from a newborn, closed Node."""
    api, nodes = server
    bare, done = opened(node())
    order_birth(api, node())
    api.refuse(404, "NotFound", "nodes vehicle-v1 not found")
    nodes.desire("v1", OPEN)
    with pytest.raises(NotFound):
        await nodes.write("v1")
    assert nodes.known() == []
    order_birth(api, node())
    api.answer(bare, done)
    await nodes.write("v1")
    assert nodes.get("v1") == done


async def test_a_vehicle_that_leaves_its_pool_loses_the_label(
    server: tuple[ApiServer, NodeController],
) -> None:
    """Nobody counts a vehicle to a pool that it left, and a label that is not wanted any more goes, too."""
    api, nodes = server
    bare, done = opened(node())
    order_birth(api, node())
    api.answer(bare, done, done)
    nodes.desire("v1", OPEN)
    await nodes.write("v1")
    nodes.desire("v1", replace(OPEN, labels=node_labels("v1", {"parkade.dev/region": ""}, None)))
    await nodes.write("v1")
    assert api.requests("PATCH")[-1] == (
        NODE,
        {"metadata": {"labels": {"parkade.dev/pool": None, "parkade.dev/region": None}}},
    )


async def test_deleting_is_done_when_nothing_is_there(server: tuple[ApiServer, NodeController]) -> None:
    """A Node that is gone already is no error, and nothing is written for a vehicle without a desire."""
    api, nodes = server
    nodes.desire("v1", OPEN)
    api.refuse(404, "NotFound", "nodes vehicle-v1 not found")
    await nodes.delete("v1")
    await nodes.write("v1")
    assert [verb for verb, *_ in api.asked] == ["DELETE"]
