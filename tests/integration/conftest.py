"""The fixtures of all integration tests, and the control plane's programs made ready before the first one."""

from collections.abc import Iterator

import pytest

from parkade_hack.local import LocalCluster
from parkade_models.bundle import Bundle
from support.batches import Garage
from support.bundles import int8_bundle
from support.chart import chart
from support.collection import pytest_collection_finish, pytest_collection_modifyitems
from support.controlplane import cluster, control_plane, kubectl, namespace

__all__ = [
    "chart",
    "cluster",
    "control_plane",
    "garage",
    "int8_bundle",
    "kubectl",
    "namespace",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
]


@pytest.fixture
def garage(cluster: LocalCluster, namespace: str, int8_bundle: Bundle) -> Iterator[Garage]:
    """A namespace, a pool and vehicles of this test alone."""
    garage = Garage(cluster, namespace, int8_bundle.folder)
    yield garage
    garage.close()
