"""Figures: read from the event loop's state, of bounded cardinality."""

import asyncio
import threading

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import generate_latest

from parkade_api.figures import LABELS, Figure, StateCollector, from_zero, one_of

VEHICLES = Figure("parkade_test_vehicles", "Vehicles of a test.", ("pool",))


async def test_state_is_read_inside_the_event_loop() -> None:
    """A scrape comes from another thread, yet only the loop's own thread looks at its state."""
    registry, looked_in = CollectorRegistry(), set[int]()

    def read() -> list[tuple[Figure, tuple[str, ...], float]]:
        looked_in.add(threading.get_ident())
        return [VEHICLES.read(2, "night"), VEHICLES.read(3, "")]

    StateCollector([VEHICLES], read).register(registry)
    assert not looked_in
    text = (await asyncio.to_thread(generate_latest, registry)).decode()
    assert looked_in == {threading.get_ident()}
    assert 'parkade_test_vehicles{pool="night"} 2.0' in text
    assert 'parkade_test_vehicles{pool=""} 3.0' in text


async def test_a_figure_that_cannot_be_read_fails_the_scrape() -> None:
    """No scrape shows half of the figures."""
    registry = CollectorRegistry()

    def read() -> list[tuple[Figure, tuple[str, ...], float]]:
        raise ZeroDivisionError

    StateCollector([VEHICLES], read).register(registry)
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(generate_latest, registry)


def test_a_counter_shows_every_value_before_the_first_event() -> None:
    """rate() sees the first event only of a series that was there before it."""
    registry = CollectorRegistry()
    from_zero(Counter("parkade_test", "A count.", ["outcome"], registry=registry), ("won", "lost"))
    assert b'parkade_test_total{outcome="lost"} 0.0' in generate_latest(registry)


@pytest.mark.parametrize(("value", "label"), [("Driving", "Driving"), ("x" * 1000, "Other"), ("", "Other")])
def test_words_of_others_become_labels_only_if_known(value: str, label: str) -> None:
    """What a vehicle sends cannot make a new series."""
    assert one_of(("Driving", "Silent"), value) == label


def test_nothing_that_is_many_is_a_label() -> None:
    """Vehicles, batches, pods and namespaces would make series without end."""
    assert not set(LABELS) & {"vehicle", "batch", "pod", "namespace", "node", "uid", "shard"}
