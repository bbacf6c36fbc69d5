"""Which batches are looked at when something changes, and what becomes of those that have finished."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_operator.controllers.gateway_client import GatewayClient
from parkade_operator.controllers.inferencebatch import BatchReconciler
from parkade_operator.controllers.pools import PoolIndex
from parkade_operator.controllers.settings import Settings
from parkade_operator.kube.events import EventRecorder
from support.apiserver import ApiServer, serving
from support.objects import Object, batch_object, patched

Desk = tuple[BatchReconciler, GatewayClient, ApiServer]


def seen(uid: str, phase: str | None) -> Object:
    """A batch as the API server shows it."""
    status = {"status": {"phase": phase}} if phase else {}
    return patched(batch_object(), {"metadata": {"uid": uid}, **status})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A reconciler, its end of the gateway, and the API server that it asks."""
    async with serving(tmp_path) as (api, client):
        settings = Settings(gateway_address="localhost:1", gateway_token_file=tmp_path / "token")
        gateway = GatewayClient(settings, client)
        yield BatchReconciler(client, gateway, PoolIndex(), EventRecorder(client, "test")), gateway, api


async def test_a_batch_that_has_finished_is_left_alone(desk: Desk) -> None:
    """However many there are: only those that are not at their end, or that the gateway still leads, are woken."""
    batches, gateway, _ = desk
    for uid, phase in {
        "new": None,
        "runs": "InProgress",
        "led": "Completed",
        "done": "Completed",
        "bad": "Failed",
    }.items():
        batches.see(seen(uid, phase), exists=True)
    assert batches.unsettled() == {"new", "runs"}
    gateway.latest = pb.Snapshot(batches=[pb.BatchProgress(uid="led"), pb.BatchProgress(uid="deleted")])
    assert batches.unsettled() == {"new", "runs", "led", "deleted"}
    assert sorted(batches.phases()) == ["", "Completed", "Completed", "Failed", "InProgress"]


async def test_the_slots_of_a_finished_batch_go_when_it_is_seen(desk: Desk) -> None:
    """Its own event, or the list at an operator's start, is enough."""
    batches, _, api = desk
    uid = batches.see(seen("0b5e4f0c-51a4", "Completed"), exists=True)
    api.answer({"spec": {"replicas": 2}}, {})
    assert await batches.reconcile(uid) is None
    path = "/apis/apps/v1/namespaces/team/replicasets/docs-0b5e4f0c"
    assert api.requests("PATCH") == [(path, {"spec": {"replicas": 0}})]
