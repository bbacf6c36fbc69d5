"""Figures for Prometheus: how they are named, what their labels may hold, and how they are read from what is there.

Counters and histograms of prometheus-client count events, one line at the place. A Figure is read at the scrape from
the state that a process keeps anyway. docs/metrics.md is written from both.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

READ_SECONDS: Final = 5.0
OTHER: Final = "Other"

# Every label, and what its values are. A vehicle, a batch, a pod or a namespace is never a label: there are too many.
LABELS: Final = {
    "action": "what the guard does: `Run`, `Freeze` or `Kill`",
    "certificate": "whose certificate it is",
    "class": "a reproducibility class of 16 hex digits, or nothing",
    "code": "HTTP status or gRPC code; `0` is no answer",
    "kind": "of lanes: `lent` by the owner, or `allowed` by the guard now",
    "lease": "`parkade-operator` or `parkade-gateway`",
    "outcome": "how it ended, from the list in the help text",
    "phase": "phase of an InferenceBatch",
    "pool": "name of a VehiclePool; without it: vehicles that are in none",
    "queue": "a work queue",
    "reason": "a reason of conditions and slots, a fault of a shard, or `Other`",
    "stage": "`plan` or `assemble`",
    "state": "a state, from the list in the help text",
    "verb": "`GET`, `WATCH`, `POST`, `PATCH` or `DELETE`",
}

Reading = tuple["Figure", tuple[str, ...], float]
_Counted = TypeVar("_Counted", Counter, Histogram)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is read at the scrape; *text* says what to do with it. One that *only_grows* is a counter."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    only_grows: bool = False

    def family(self) -> CounterMetricFamily | GaugeMetricFamily:
        """An empty family of this figure."""
        if self.only_grows:
            return CounterMetricFamily(self.name, self.text, labels=self.labels)
        return GaugeMetricFamily(self.name, self.text, labels=self.labels)

    def read(self, value: float, *labels: str) -> Reading:
        """One reading."""
        return self, labels, value


class StateCollector(Collector):
    """Reads figures from the state of the event loop it is made in, which alone may look at it.

    While the loop is stuck a scrape fails after 5 seconds, and says so by failing.
    """

    def __init__(self, figures: Sequence[Figure], read: Callable[[], Iterable[Reading]]) -> None:
        self._figures = figures
        self._read = read
        self._loop = asyncio.get_running_loop()

    def describe(self) -> Iterable[Metric]:
        """Families without readings, by which the registry knows the names."""
        return [figure.family() for figure in self._figures]

    @override
    def collect(self) -> Iterable[Metric]:
        readings = asyncio.run_coroutine_threadsafe(self._look(), self._loop).result(READ_SECONDS)
        families = {figure.name: figure.family() for figure in self._figures}
        for figure, labels, value in readings:
            families[figure.name].add_metric(labels, value)
        return list(families.values())

    def register(self, registry: CollectorRegistry = REGISTRY) -> None:
        """Shows the figures from now on."""
        registry.register(self)

    async def _look(self) -> list[Reading]:
        return list(self._read())


def from_zero(figure: _Counted, values: Iterable[str]) -> _Counted:
    """The counter of one label with a series for each of *values*: rate() sees a first event only of a known series."""
    for value in values:
        figure.labels(value)
    return figure


def one_of(values: Iterable[str], value: str) -> str:
    """*value* if it is one of *values*, else Other: what a vehicle says cannot make a new series."""
    return value if value in set(values) else OTHER
