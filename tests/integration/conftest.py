"""The fixtures of all integration tests, and the control plane's programs made ready before the first one."""

import pytest
from parkade_hack.tools import ensure_tools
from support.controlplane import cluster, control_plane, kubectl, namespace

__all__ = ["cluster", "control_plane", "kubectl", "namespace"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks whatever needs the control plane."""
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker("controlplane")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds the control plane outside of any test's time limit."""
    if any(item.get_closest_marker("controlplane") for item in session.items):
        ensure_tools()
