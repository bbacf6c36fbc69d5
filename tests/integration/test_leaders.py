"""Two operators and two gateways: whoever leads may be killed, stopped or told to go; the other one leads on."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from parkade_api.wellknown import GATEWAY, OPERATOR
from parkade_core.batch.commit import Kind, Segment
from parkade_hack.controlplane import ControlPlane
from parkade_hack.local import LocalCluster, Vehicle
from parkade_hack.preparation import prepare
from parkade_hack.processes import accepts_connections
from parkade_operator.shards import layout
from parkade_operator.shards.errors import AlreadyExists
from parkade_operator.shards.store import BlockingStore
from support.batches import Garage, long_documents
from support.commit_log import segments
from support.controlplane import eventually, leaving_nothing

pytestmark = pytest.mark.long(125)

FOLLOWS_SECONDS = 20.0
HANDS_OVER_SECONDS = 5.0


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Two of each on the session's control plane, with a Service before the gateways."""
    two = LocalCluster(tmp_path_factory.mktemp("cluster"), control_plane, replicas=2)
    with leaving_nothing(two) as running:
        eventually(lambda: running.leader(OPERATOR) and running.leader(GATEWAY), 30, "somebody leads")
        yield running


@pytest.fixture(autouse=True)
def everybody(cluster: LocalCluster) -> None:
    """Whatever a test before this one left behind: all four processes run and may lead."""
    for name in cluster.metrics_ports:
        if not cluster.is_running(name):
            stand_by(cluster, name)


def follow(cluster: LocalCluster, leases: tuple[str, ...], end: Callable[[str], object]) -> list[str]:
    """Who led before *end* was done to them; returns when others hold all *leases*."""
    before = [
        eventually(lambda lease=lease: cluster.leader(lease), 30, f"{lease} is held") for lease in leases
    ]  # type: ignore[misc]
    for name in before:
        end(name)
    for lease, name in zip(leases, before, strict=True):
        eventually(
            lambda lease=lease, name=name: cluster.leader(lease) not in ("", name),  # type: ignore[misc]
            30,
            f"another one holds {lease}",
        )
    return before


def stand_by(cluster: LocalCluster, name: str) -> None:
    """Starts a process anew; returns when it can take over."""
    cluster.start(name)
    eventually(lambda: accepts_connections(cluster.metrics_ports[name]), 30, f"{name} has started")


def test_a_batch_survives_the_death_and_the_departure_of_its_leaders(
    garage: Garage, cluster: LocalCluster
) -> None:
    """SIGKILL of both leaders: others lead within 20 s. SIGTERM: within 5 s, exit code 0. The files prove right."""
    vehicle, _ = garage.open(2, share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(400)))
    garage.wait_for_commits("docs", 2)
    began = time.monotonic()
    killed = follow(cluster, (GATEWAY, OPERATOR), cluster.kill)
    assert time.monotonic() - began <= FOLLOWS_SECONDS
    port = cluster._gateways[cluster.leader(GATEWAY)].kubelet
    eventually(lambda: kubelet_port(garage, vehicle) == port, 30, "the Node names the new leader's port")
    for name in killed:
        stand_by(cluster, name)
    garage.wait_for_commits("docs", 6)
    for lease in (GATEWAY, OPERATOR):
        codes: list[int | None] = []
        began = time.monotonic()
        (told,) = follow(cluster, (lease,), lambda name, codes=codes: codes.append(cluster.stop(name)))  # type: ignore[misc]
        assert time.monotonic() - began <= HANDS_OVER_SECONDS
        assert codes == [0]
        stand_by(cluster, told)
    garage.wait_for("docs", "Completed", 150)
    assert garage.prove("docs").returncode == 0


def test_a_gateway_that_sleeps_past_its_lease_ends_and_its_next_segment_is_refused(
    garage: Garage, cluster: LocalCluster
) -> None:
    """SIGSTOP until another one leads the batch, then CONT: exit code 1 at once, and its place in the log is taken."""
    garage.open(2, share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(300)))
    garage.wait_for_commits("docs", 2)
    uid = garage.uid("docs")
    (stopped,) = follow(cluster, (GATEWAY,), lambda name: os.kill(cluster.pid(name), signal.SIGSTOP))
    eventually(lambda: len(claims(cluster, uid)) == 2, 60, "the other one has claimed the batch")
    os.kill(cluster.pid(stopped), signal.SIGCONT)
    assert cluster.wait(stopped, 10) == 1
    assert "the Lease was not renewed for 10 seconds" in cluster.log(stopped).read_text()
    stand_by(cluster, stopped)
    old, new = claims(cluster, uid)
    with pytest.raises(AlreadyExists):
        BlockingStore(cluster.platform_store).create(
            layout.segment(uid, new.seq), [b"what the sleeper would say"]
        )
    garage.wait_for("docs", "Completed", 120)
    log = segments(cluster.platform_store, uid)
    assert (old.term, new.term) == (1, 2)
    assert {segment.nonce for segment in log[: new.seq]} == {old.nonce}
    assert {segment.nonce for segment in log[new.seq :]} == {new.nonce}
    assert garage.prove("docs").returncode == 0


def kubelet_port(garage: Garage, vehicle: Vehicle) -> int:
    """Where the API server asks for logs of the vehicle."""
    endpoints = garage.kubectl.look("nodes", vehicle.name)["status"]["daemonEndpoints"]
    return int(endpoints["kubeletEndpoint"]["Port"])


def claims(cluster: LocalCluster, uid: str) -> list[Segment]:
    """The segments by which gateways took the lead of a batch."""
    return [segment for segment in segments(cluster.platform_store, uid) if segment.kind is Kind.CLAIM]


def test_nodes_go_with_the_release_and_stay_away(
    garage: Garage, cluster: LocalCluster, control_plane: ControlPlane
) -> None:
    """Without its ClusterRole the gateway makes no Node, also for a vehicle that is connected; with it, it does."""
    kubectl = garage.kubectl
    (vehicle,) = garage.open()
    first = kubectl.read("node", vehicle.name)
    (owner,) = first["metadata"]["ownerReferences"]
    role = kubectl.read("clusterrole", GATEWAY)
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ClusterRole", GATEWAY, role["metadata"]["uid"])
    leader = cluster.leader(GATEWAY)
    try:
        kubectl("delete", "clusterrole", GATEWAY)
        eventually(lambda: not _names(garage), 30, "the garbage collector has deleted the Nodes")
        eventually(lambda: _told(cluster, leader) > 0, 30, "the gateway knows")
        assert not _names(garage)
    finally:
        prepare(control_plane)
    eventually(lambda: vehicle.name in _names(garage), 40, "the Node is made again")
    assert kubectl.read("node", vehicle.name)["metadata"]["uid"] != first["metadata"]["uid"]
    assert _told(cluster, leader) == 1


def _names(garage: Garage) -> list[str]:
    nodes = garage.kubectl.look("nodes", labels=f"parkade.dev/region={garage.region}")["items"]
    return [node["metadata"]["name"] for node in nodes]


def _told(cluster: LocalCluster, leader: str) -> int:
    return cluster.log(leader).read_text().count("the owner of the Nodes is gone")
