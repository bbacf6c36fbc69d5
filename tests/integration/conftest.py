"""The fixtures of all integration tests, and the control plane's programs made ready before the first one."""

from collections.abc import Iterator

import pytest

from parkade_hack.local import LocalCluster
from parkade_hack.tools import ensure_tools
from parkade_hack.tools.catalogue import PROMETHEUS
from parkade_models.bundle import Bundle
from support.batches import Garage
from support.bundles import int8_bundle
from support.chart import chart
from support.controlplane import cluster, control_plane, kubectl, namespace

__all__ = ["chart", "cluster", "control_plane", "garage", "int8_bundle", "kubectl", "namespace"]


@pytest.fixture
def garage(cluster: LocalCluster, namespace: str, int8_bundle: Bundle) -> Iterator[Garage]:
    """A namespace, a pool and vehicles of this test alone."""
    garage = Garage(cluster, namespace, int8_bundle.folder)
    yield garage
    garage.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks whatever needs the control plane or its programs."""
    for item in items:
        if {"control_plane", "chart"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("controlplane")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds the programs outside of any test's time limit."""
    if any(item.get_closest_marker("controlplane") for item in session.items):
        ensure_tools()
    if any(item.get_closest_marker("prometheus") for item in session.items):
        ensure_tools(PROMETHEUS)
