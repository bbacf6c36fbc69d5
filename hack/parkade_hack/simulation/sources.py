"""What the simulation knows of the world: drives, plug-ins, weather and prices, as docs/simulation.md names them.

`extract.py` takes them out of their packages, in an environment of its own; here they are read.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_hack.environments import environment_of
from parkade_hack.paths import ROOT
from parkade_models.cache import cache_folder, file_lock

LOCK_FILE: Final = ROOT / "requirements" / "simulation.txt"
_EXTRACT: Final = Path(__file__).with_name("extract.py")

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drive:
    """A drive cycle at one temperature outside, by the minute: km/h, kWh used, and how the battery's C changed."""

    celsius: float
    speed: Numbers
    kwh: Numbers
    heat: Numbers


@dataclass(frozen=True, slots=True)
class Model:
    """A vehicle of FASTSim: its battery in kWh, in J/K, in W/K to the air, and its drives by cycle."""

    name: str
    battery_kwh: float
    joules_per_kelvin: float
    watts_per_kelvin: float
    drives: Mapping[str, tuple[Drive, ...]]

    def drive(self, cycle: str, celsius: float) -> Drive:
        """The drive of that cycle whose temperature is nearest."""
        return min(self.drives[cycle], key=lambda drive: abs(drive.celsius - celsius))


@dataclass(frozen=True, slots=True)
class Habits:
    """How vehicles plug in at one kind of place.

    Weights of an arrival by the quarter of an hour; by the half hour of arrival the mean hours at the plug and the mean
    kWh that are wanted.
    """

    weekday: Numbers
    weekend: Numbers
    hours: Numbers
    kwh: Numbers


@dataclass(frozen=True, slots=True)
class Sources:
    """All of it. `celsius` outside and `price` (EUR/kWh) are hourly, from the first hour of a year that both have."""

    models: tuple[Model, ...]
    habits: Mapping[str, Habits]
    celsius: Numbers
    price: Numbers


def load() -> Sources:
    """The sources, taken out of their packages once. Raises InstallError, CalledProcessError."""
    python = environment_of(LOCK_FILE)
    key = hashlib.sha256(_EXTRACT.read_bytes() + str(python).encode()).hexdigest()[:16]
    path = cache_folder() / "simulation" / f"{key}.json"
    with file_lock(path.with_suffix(".lock")):
        if not path.exists():
            unfinished = path.with_suffix(".new")
            subprocess.run([python, _EXTRACT, unfinished], check=True)
            unfinished.rename(path)
    return read(json.loads(path.read_text(encoding="utf-8")))


def read(found: Mapping[str, Any]) -> Sources:
    """The sources in the words of `extract.py`."""
    return Sources(
        models=tuple(_model(**model) for model in found["models"]),
        habits={
            place: Habits(**{name: _numbers(values) for name, values in habits.items()})
            for place, habits in found["habits"].items()
        },
        celsius=_numbers(found["celsius"]),
        price=_numbers(found["price"]),
    )


def _model(drives: Mapping[str, list[dict[str, Any]]], **rest: Any) -> Model:
    return Model(
        **rest, drives={cycle: tuple(_drive(**drive) for drive in of) for cycle, of in drives.items()}
    )


def _drive(celsius: float, **minutes: list[float]) -> Drive:
    return Drive(celsius, **{name: _numbers(values) for name, values in minutes.items()})


def _numbers(values: list[float]) -> Numbers:
    return np.asarray(values, dtype=np.float64)
