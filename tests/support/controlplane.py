"""Fixtures of the integration tests: a control plane a session, a cluster a module, a namespace a test."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from parkade_api.wellknown import LABEL_VEHICLE, NODE_LEASE_NAMESPACE
from parkade_hack.controlplane import ControlPlane, Kubectl
from parkade_hack.local import LocalCluster
from parkade_hack.preparation import prepare
from parkade_hack.tools import ensure_tools

POLL_SECONDS = 0.1
_Seen = TypeVar("_Seen")
_Cluster = TypeVar("_Cluster", bound=LocalCluster)


def eventually(look: Callable[[], _Seen], seconds: float, what: str) -> _Seen:
    """The first true value of *look*. Fails naming *what* and the last value when *seconds* have passed."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}; last seen: {seen!r}")
        time.sleep(POLL_SECONDS)
    return seen


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The one control plane of this test session, with CRDs, ServiceAccounts and RBAC."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), ensure_tools()) as running:
        prepare(running)
        yield running


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """An administrator's kubectl."""
    return control_plane.kubectl


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of this test alone."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Operator and gateway of this module on the session's control plane; nothing of theirs stays."""
    with leaving_nothing(LocalCluster(tmp_path_factory.mktemp("cluster"), control_plane)) as running:
        yield running


@contextlib.contextmanager
def leaving_nothing(cluster: _Cluster) -> Iterator[_Cluster]:
    """Runs *cluster*; afterwards the control plane has no resource and no Node of it."""
    try:
        with cluster as running:
            yield running
            _delete_resources(cluster.kubectl)
    finally:
        _delete_vehicles(cluster.kubectl)


def _delete_resources(kubectl: Kubectl) -> None:
    kubectl("delete", "inferencebatches", "--all", "--all-namespaces", "--timeout=60s")
    kubectl("delete", "vehiclepools", "--all", "--timeout=60s")


def _delete_vehicles(kubectl: Kubectl) -> None:
    kubectl("delete", "replicasets,pods", "--all", "--all-namespaces", "--force", "--grace-period=0")
    nodes = kubectl.look("nodes", labels=LABEL_VEHICLE)["items"]
    if names := [node["metadata"]["name"] for node in nodes]:
        kubectl("delete", "nodes", *names)
        kubectl("delete", "leases", *names, "--namespace", NODE_LEASE_NAMESPACE, "--ignore-not-found")
