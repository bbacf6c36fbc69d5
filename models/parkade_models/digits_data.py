"""The 1,797 handwritten digits of scikit-learn, as PNG images of 8 x 8 pixels with their labels.

scikit-learn (BSD-3-Clause) ships the test set of the UCI data set "Optical Recognition of Handwritten Digits".
"""

import base64
import gzip
import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from parkade_models.search.evaluation import Example
from parkade_models.sources import install

_FILE: Final = "sklearn/datasets/data/digits.csv.gz"
_SIDE: Final = 8  # pixels
_WHITE: Final = 16  # the highest level of a pixel in the file
_PARTS: Final = 12  # the file is dealt out in turn
_CALIBRATION: Final = {0}
_HELD_OUT: Final = {2, 5, 8, 11}


@dataclass(frozen=True, slots=True)
class Digit:
    """One image and the digit that it shows."""

    png: bytes
    label: str

    def example(self) -> Example:
        """As data that a recipe search takes."""
        return Example(base64.b64encode(self.png).decode(), self.label)


@dataclass(frozen=True, slots=True)
class Split:
    """All digits; no digit is in two parts."""

    train: list[Digit]
    calibration: list[Digit]
    held_out: list[Digit]


def load() -> Split:
    """The digits, always split the same way. Raises BuildError when their package cannot be installed."""
    raw = gzip.decompress((install() / _FILE).read_bytes())
    rows = np.loadtxt(io.BytesIO(raw), delimiter=",")
    parts: list[list[Digit]] = [[] for _ in range(_PARTS)]
    for number, row in enumerate(rows):
        parts[number % _PARTS].append(_digit(row))
    return Split(
        train=_joined(parts, set(range(_PARTS)) - _CALIBRATION - _HELD_OUT),
        calibration=_joined(parts, _CALIBRATION),
        held_out=_joined(parts, _HELD_OUT),
    )


def _joined(parts: list[list[Digit]], chosen: set[int]) -> list[Digit]:
    return [digit for number in sorted(chosen) for digit in parts[number]]


def _digit(row: NDArray[np.float64]) -> Digit:
    pixels = np.rint(row[:-1].reshape(_SIDE, _SIDE) * 255 / _WHITE).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return Digit(buffer.getvalue(), str(int(row[-1])))
