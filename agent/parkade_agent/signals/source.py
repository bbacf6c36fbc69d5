"""What the agent asks of any source of vehicle signals."""

from collections.abc import Callable
from typing import Protocol

from parkade_core.vehicle.readings import Readings


class SignalSource(Protocol):
    """Keeps the newest reading of each VSS path; its methods never wait."""

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to listen; *on_change* is called from the source's own thread after every change."""

    def readings(self) -> Readings:
        """All readings with their ages at this moment. Callable from any thread."""

    def stop(self) -> None:
        """Ends the source's thread."""
