"""What happens to collected tests that need the control plane: a conftest imports these hooks by their names."""

import pytest

from parkade_hack.tools import ensure_tools
from parkade_hack.tools.catalogue import PROMETHEUS


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
