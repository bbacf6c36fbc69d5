"""What all tests share: the repository's root, bubblewrap for whatever plays a vehicle, patience with each example."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from parkade_hack.tools.bubblewrap import VARIABLE, ensure_bubblewrap

# Hypothesis would fail an example during which the machine stood still for a fifth of a second.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """Agents that tests start find it by the environment."""
    os.environ[VARIABLE] = str(ensure_bubblewrap())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules begin first, so that several workers end at about the same time."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("long")
    return float(mark.args[0]) if mark else 0.0


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root folder."""
    return Path(__file__).resolve().parents[1]
