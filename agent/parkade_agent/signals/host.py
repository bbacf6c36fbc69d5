"""The temperature of the computer that the agent runs on, as its kernel tells it: for vehicles before VSS 6.0."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from parkade_agent.signals.heard import boottime
from parkade_api import vss
from parkade_core.vehicle.readings import Reading, Readings

ZONES: Final = Path("/sys/class/thermal")
POLL_SECONDS: Final = 2.0


class HostSignals:
    """A `SignalSource` of one path: the hottest thermal zone of the host, in whole degrees. None without a zone."""

    def __init__(self, zones: Path = ZONES) -> None:
        self._zones = zones
        self._seen: tuple[float, float] | None = None  # Celsius, and when
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to look; *on_change* is called in the source's thread when the temperature is another one."""
        self._thread = threading.Thread(target=self._watch, args=(on_change,), name="host", daemon=True)
        self._thread.start()

    def readings(self) -> Readings:
        """The temperature, when there is one."""
        seen = self._seen
        return {} if seen is None else {vss.COMPUTE_CELSIUS: Reading(seen[0], boottime() - seen[1])}

    def stop(self) -> None:
        """Ends the thread; the reading ages from then on."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, on_change: Callable[[], None]) -> None:
        while True:
            before = self._seen
            celsius = max(_temperatures(self._zones), default=None)
            if celsius is not None:
                self._seen = celsius, boottime()
                if before is None or before[0] != celsius:
                    on_change()
            if self._stopped.wait(POLL_SECONDS):
                return


def _temperatures(zones: Path) -> Iterator[float]:
    for file in zones.glob("thermal_zone*/temp"):
        try:
            yield round(int(file.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):
            continue  # a zone whose sensor sleeps answers with an error
