"""Ratios round by round: the middle, and how far the rounds lie apart."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

_FEW: Final = 4  # below that, quartiles say nothing


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the range of the middle half; of fewer than four values the whole range."""

    median: float
    low: float
    high: float

    @override
    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def spread(values: Iterable[float]) -> Spread:
    """The spread of one value or more."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    if len(ordered) >= _FEW:
        low, _, high = statistics.quantiles(ordered, n=4)
    return Spread(statistics.median(ordered), low, high)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that *share* of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]
