"""The pod controller: what it asks of its provider, and in which order it tells the API server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typing_extensions import override

from parkade_core.kubelet.pod import ContainerView, PodView
from parkade_core.vehicle.pod import slot_rules
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.pods import PodController
from parkade_operator.kubelet.provider import PodProvider
from support.apiserver import ApiServer, serving
from support.objects import Object, patched, slot_pod

POD = "/api/v1/namespaces/team/pods/docs-0b5e4f0c-x7k2p"
UP = ContainerView(phase="Running", ready=True)
RUNNING = PodView({"sidecar": UP, "runner": UP})
ENDED = PodView({"sidecar": UP, "runner": UP}, ended=True, reason="Driving", message="it moves")
STRANGER = slot_pod(uid="pod-2", name="web")
STRANGER["spec"] |= {"initContainers": [], "containers": [{"name": "web", "image": "nginx:1"}]}


class Recording(PodProvider):
    """A provider that runs nothing and keeps what it was asked, in one order with the server's requests."""

    def __init__(self, api: ApiServer, *, keeps: bool = False) -> None:
        self._api = api
        self._keeps = keeps
        self.calls: asyncio.Queue[str] = asyncio.Queue()

    @override
    async def run(self, pod: Object) -> None:
        self.calls.put_nowait(f"run {pod['metadata']['uid']}")

    @override
    async def stop(self, pod: Object, grace_seconds: float, reason: str) -> None:
        self.calls.put_nowait(f"stop {pod['metadata']['uid']} {grace_seconds:g} {reason}")

    @override
    async def conclude(self, pod: Object) -> bool:
        self.calls.put_nowait(
            f"conclude {pod['spec']['nodeName']} before {len(self._api.requests('PATCH'))} patches"
        )
        return not self._keeps


class Kubelet:
    """A pod controller at work over what the server was ordered to tell."""

    def __init__(self, api: ApiServer, pods: PodController, provider: Recording) -> None:
        self.api, self.pods, self._provider = api, pods, provider

    async def asks(self, *calls: str) -> None:
        """Returns when the provider was asked exactly *calls* next."""
        async with asyncio.timeout(10):
            assert [await self._provider.calls.get() for _ in calls] == list(calls)

    async def writes(self, count: int) -> list[tuple[str, str]]:
        """Method and path of the first *count* writes, when they were made."""
        async with asyncio.timeout(10):
            while len(made := [(verb, path) for verb, path, *_ in self.api.asked if verb != "GET"]) < count:
                await self.api.news()
        return made


@contextlib.asynccontextmanager
async def kubelet(
    folder: Path, *listed: Object, watch: tuple[Object, ...] = (), keeps: bool = False
) -> AsyncIterator[Kubelet]:
    """Runs the controller; every write is answered with {}."""
    async with serving(folder) as (api, client):
        api.answer({"kind": "PodList", "metadata": {"resourceVersion": "5"}, "items": list(listed)})
        api.answer(*({} for _ in range(20)))
        api.watch(*watch)
        events = EventRecorder(client, "test")
        rules = slot_rules("127.0.0.1")
        pods = PodController(client, lambda name: name.startswith("vehicle-"), rules, events, lambda: None)
        provider = Recording(api, keeps=keeps)
        pods.serve(provider)
        running = [asyncio.create_task(pods.watch()), asyncio.create_task(pods.work())]
        try:
            yield Kubelet(api, pods, provider)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def event(kind: str, pod: Object, **meta: object) -> Object:
    """A watch event about *pod*."""
    changed = patched(pod, {"metadata": {"resourceVersion": "6"} | meta})
    return {"type": kind, "object": {"kind": "Pod"} | changed}


async def test_a_slot_is_run_and_reported(tmp_path: Path) -> None:
    """A bound pod is handed to the provider at once, and what the provider tells becomes its status."""
    async with kubelet(tmp_path, slot_pod()) as running:
        await running.asks("run pod-1")
        await running.writes(1)
        running.pods.tell("pod-1", RUNNING)
        await running.asks("run pod-1")
        await running.writes(2)
        *_, (path, body) = running.api.requests("PATCH")
    assert body is not None
    assert (path, body["status"]["phase"], body["metadata"]) == (f"{POD}/status", "Running", {"uid": "pod-1"})


async def test_a_slot_that_the_vehicle_ended_closes_the_node_first(tmp_path: Path) -> None:
    """Were the pod Failed while its Node is open, a ReplicaSet would put the next one there at once, for ever."""
    async with kubelet(tmp_path, slot_pod()) as running:
        await running.asks("run pod-1")
        await running.writes(1)
        running.pods.tell("pod-1", ENDED)
        await running.asks("conclude vehicle-v1 before 1 patches")
        assert (await running.writes(3))[1:] == [("PATCH", f"{POD}/status"), ("DELETE", POD)]
        ((_, options),) = running.api.requests("DELETE")
    assert options is not None
    assert (options["gracePeriodSeconds"], options["preconditions"]) == (0, {"uid": "pod-1"})


async def test_a_pod_that_its_provider_keeps_stays_with_its_phase(tmp_path: Path) -> None:
    """What has ended for good, a Job's pod, is reported once and left for its owner to read."""
    async with kubelet(tmp_path, slot_pod(), keeps=True) as running:
        await running.asks("run pod-1")
        await running.writes(1)
        running.pods.tell("pod-1", ENDED)
        await running.asks("conclude vehicle-v1 before 1 patches")
        assert (await running.writes(2))[1:] == [("PATCH", f"{POD}/status")]
        assert running.api.requests("DELETE") == []


async def test_a_deleted_slot_is_removed_when_nothing_of_it_runs(tmp_path: Path) -> None:
    """A deletion waits for the vehicle: first the processes end, then the object goes."""
    deleted = event(
        "MODIFIED", slot_pod(), deletionTimestamp="2026-01-01T00:00:00Z", deletionGracePeriodSeconds=7
    )
    async with kubelet(tmp_path, slot_pod(), watch=(deleted,)) as running:
        await running.asks("run pod-1", "stop pod-1 7 Deleted")
        assert running.api.requests("DELETE") == []
        running.pods.tell("pod-1", ENDED)
        assert [verb for verb, _ in await running.writes(3)] == ["PATCH", "PATCH", "DELETE"]


async def test_a_slot_whose_object_vanished_is_stopped(tmp_path: Path) -> None:
    """A forced deletion leaves no process behind, and nothing is written about a pod that is gone."""
    async with kubelet(tmp_path, slot_pod(), watch=(event("DELETED", slot_pod()),)) as running:
        await running.asks("run pod-1", "stop pod-1 0 Deleted")
        assert running.api.requests("DELETE") == []
        running.pods.tell("pod-1", ENDED)
        assert running.pods.get("pod-1") is None


async def test_a_strange_pod_stays_pending_and_says_why(tmp_path: Path) -> None:
    """A DaemonSet's pod is never run and never Failed; an Event tells its owner."""
    async with kubelet(tmp_path, STRANGER) as running:
        made = await running.writes(2)
        ((_, status),) = running.api.requests("PATCH")
        ((_, told),) = running.api.requests("POST")
        assert made == [
            ("PATCH", "/api/v1/namespaces/team/pods/web/status"),
            ("POST", "/api/v1/namespaces/team/events"),
        ]
        assert running.pods.bound() == []
    assert status is not None
    assert told is not None
    assert (status["status"]["phase"], status["status"]["reason"]) == ("Pending", "NotForVehicles")
    assert (told["reason"], told["message"]) == ("NotForVehicles", status["status"]["message"])


async def test_pods_of_other_nodes_are_left_alone(tmp_path: Path) -> None:
    """One watch sees all pods; only those of our Nodes are ours."""
    foreign = slot_pod(uid="pod-9")
    foreign["spec"]["nodeName"] = "worker-1"
    async with kubelet(tmp_path, foreign, slot_pod()) as running:
        await running.asks("run pod-1")
        assert (running.pods.get("pod-9"), len(running.pods.bound())) == (None, 1)


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
async def test_a_finished_pod_of_an_earlier_gateway_is_removed(tmp_path: Path, phase: str) -> None:
    """A gateway that was killed between report and deletion left it; it is not run again."""
    pod = slot_pod()
    pod["status"] = {"phase": phase}
    async with kubelet(tmp_path, pod) as running:
        await running.asks("conclude vehicle-v1 before 0 patches")
        assert ("DELETE", POD) in await running.writes(2)
