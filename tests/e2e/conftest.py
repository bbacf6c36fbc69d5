"""The release that the end-to-end tests share: two of each on a control plane of its own that notes every request."""

from collections.abc import Iterator

import pytest

from parkade_hack.controlplane import ControlPlane
from parkade_hack.release import Release
from parkade_hack.tools import ensure_tools
from parkade_models.bundle import Bundle
from support.batches import Garage
from support.bundles import int8_bundle
from support.collection import pytest_collection_finish, pytest_collection_modifyitems
from support.controlplane import namespace
from support.releases import VALUES, release_garage

__all__ = ["int8_bundle", "namespace", "pytest_collection_finish", "pytest_collection_modifyitems"]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A bare control plane: all that Parkade needs comes from the chart."""
    folder = tmp_path_factory.mktemp("audited")
    with ControlPlane(folder, ensure_tools(), audited=True) as running:
        yield running


@pytest.fixture(scope="module")
def release(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart, installed."""
    with Release(tmp_path_factory.mktemp("release"), control_plane) as running:
        running.install(VALUES)
        yield running


@pytest.fixture
def garage(release: Release, namespace: str, int8_bundle: Bundle) -> Iterator[Garage]:
    """A namespace and a pool of this test alone, with the simulated vehicles in it."""
    with release_garage(release, namespace, int8_bundle.folder) as garage:
        yield garage
