"""What the agent asks of any source of vehicle signals."""

from collections.abc import Callable
from typing import Protocol

from parkade_core.vehicle.readings import Reading, Readings


class SignalSource(Protocol):
    """Keeps the newest reading of each VSS path; its methods never wait."""

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to listen; *on_change* is called from the source's own thread after every change."""

    def readings(self) -> Readings:
        """All readings with their ages at this moment. Callable from any thread."""

    def stop(self) -> None:
        """Ends the source's thread."""


class Joined:
    """A `SignalSource` of several: each path is told by the first of them that has it."""

    def __init__(self, *sources: SignalSource) -> None:
        self._sources = sources

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to listen to all of them."""
        for source in self._sources:
            source.start(on_change)

    def readings(self) -> Readings:
        """All readings."""
        told: dict[str, Reading] = {}
        for source in reversed(self._sources):
            told.update(source.readings())
        return told

    def stop(self) -> None:
        """Ends all of them."""
        for source in self._sources:
            source.stop()
