"""Every process's port for Prometheus and for probes."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import Metric

from parkade_api.exposition import STUCK_SECONDS, Exposition, ExpositionSettings, Health, serve
from parkade_api.settings import load


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Time stands still until the test moves it."""
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    """The health of a process that has just started."""
    return Health("gateway", clock)


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of this test alone."""
    return CollectorRegistry()


@pytest.fixture
def exposition(health: Health, registry: CollectorRegistry) -> Iterator[Exposition]:
    """The open port."""
    open_port = serve(health, "127.0.0.1", 0, registry)
    yield open_port
    open_port.close()


def get(exposition: Exposition, path: str) -> tuple[int, str]:
    """Status and body of a GET."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{exposition.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_lasts_as_long_as_the_beats(exposition: Exposition, health: Health, clock: Clock) -> None:
    """A process that has not moved for 15 seconds is unhealthy, and healthy again after its next beat."""
    assert get(exposition, "/healthz") == (200, "ok\n")
    clock.now += STUCK_SECONDS
    assert get(exposition, "/healthz") == (503, "gateway stands still for 15 s\n")
    health.beat()
    assert get(exposition, "/healthz?verbose") == (200, "ok\n")


def test_ready_is_what_the_process_says(exposition: Exposition, health: Health) -> None:
    """A process is not ready before it says so."""
    assert get(exposition, "/readyz") == (503, "gateway is not ready\n")
    health.set_ready(True)
    assert get(exposition, "/readyz") == (200, "ok\n")


def test_metrics_are_those_of_the_registry(exposition: Exposition, registry: CollectorRegistry) -> None:
    """/metrics holds every metric in Prometheus' text format; other paths are not found."""
    Counter("parkade_test", "What a test counts.", registry=registry).inc(3)
    status, text = get(exposition, "/metrics")
    assert status == 200
    assert "parkade_test_total 3.0" in text
    assert get(exposition, "/")[0] == 404


def test_metrics_that_cannot_be_read_fail_the_scrape(
    exposition: Exposition, registry: CollectorRegistry
) -> None:
    """A collector that raises fails the scrape, and the next one is answered again."""

    class Broken:
        def describe(self) -> list[Metric]:
            """Nothing is known beforehand."""
            return []

        def collect(self) -> list[Metric]:
            """Never comes to an end."""
            raise ZeroDivisionError

    broken = Broken()
    registry.register(broken)
    assert get(exposition, "/metrics")[0] == 500
    registry.unregister(broken)
    assert get(exposition, "/metrics")[0] == 200


async def test_a_moving_event_loop_beats(health: Health, clock: Clock) -> None:
    """The beat is a part of the event loop's work."""
    clock.now += 60
    beating = asyncio.create_task(health.keep_beating())
    await asyncio.sleep(0)
    assert health.still_for() == 0
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating


def test_a_closed_port_can_be_opened_again(health: Health, registry: CollectorRegistry) -> None:
    """A process that restarts finds its port free."""
    first = serve(health, "127.0.0.1", 0, registry)
    get(first, "/healthz")
    first.close()
    second = serve(health, "127.0.0.1", first.port, registry)
    assert get(second, "/healthz")[0] == 200
    second.close()


def test_settings_have_a_safe_default() -> None:
    """Unless told otherwise a process shows itself to its own machine only."""
    settings = load(ExpositionSettings, "any", ["--metrics-port", "8080"])
    assert (settings.listen_address, settings.metrics_port) == ("127.0.0.1", 8080)
