"""A course: everything that happens to one vehicle from outside, minute by minute, whatever its guard decides."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parkade_hack.simulation.body import Body, Frame, Minute

Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]
Whole = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Course:
    """One array each, all of as many minutes; drawn by `drawing`, saved as numpy's own file.

    `speed` is km/h, `kwh` and `heat` are what driving takes and by how many C it warms the battery in that minute.
    `outside` is the air's C, `around` that of the place where the computer sits; `charger_kw` what the plug gives and
    `price` EUR/kWh. `departure` is the minute for which the owner has planned to leave, -1 for none; what is planned is
    not always what happens. `is_silent` says that the vehicle's bus tells nothing, `consents` that the owner agrees.
    """

    driving: Flags
    plugged: Flags
    is_silent: Flags
    consents: Flags
    speed: Floats
    kwh: Floats
    heat: Floats
    outside: Floats
    around: Floats
    charger_kw: Floats
    price: Floats
    departure: Whole

    def __len__(self) -> int:
        return len(self.driving)

    def minutes(self) -> list[Minute]:
        """What the body needs of each minute."""
        columns = (self.outside, self.around, self.charger_kw * self.plugged, self.kwh, self.heat)
        return [Minute(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


@dataclass(frozen=True, slots=True)
class Subject:
    """One simulated vehicle: its name, body, first charge, the midnight at which its course begins, and the course."""

    name: str
    frame: Frame
    charge: float
    begins: datetime
    course: Course

    def at_rest(self) -> Iterator[Body]:
        """The body at the beginning of each minute, if nothing ever computes."""
        minutes = self.course.minutes()
        body = Body(self.charge, minutes[0].outside, minutes[0].around)
        for minute in minutes:
            yield body
            body = self.frame.after(body, minute, 0.0)

    def save(self, path: Path) -> None:
        """Writes the course in the compact form. Raises OSError."""
        np.savez_compressed(
            path, **{field.name: getattr(self.course, field.name) for field in fields(Course)}
        )
