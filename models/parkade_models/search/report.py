"""All candidates of a search as data, and which of them is taken: the fastest that keeps the gate."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

SLOWEST: Final = 1.05
"""Times float32's speed: what gains less is not worth a second file."""

NOISE: Final = 0.05
"""Share by which two measurements of one graph's speed differ on a busy machine."""


class Verdict(StrEnum):
    """What became of a candidate."""

    REFERENCE = "reference"
    CHOSEN = "chosen"
    PASSED = "passed"
    REJECTED = "rejected"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One recipe and what was measured of it; None where it did not come that far."""

    recipe: str
    verdict: Verdict
    reason: str | None = None
    """Why it was rejected or does not apply, a sentence."""

    metric: float | None = None
    ratio: float | None = None
    """The metric over float32's."""

    speed: float | None = None
    """Runs a CPU second over float32's, one record a run: the graph alone."""

    size: int | None = None
    """Bytes of the ONNX file."""

    integer_products: int | None = None
    """Matrix products and convolutions that onnxruntime computes in integers."""

    float_products: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a search found."""

    model: str
    metric: str
    weaker: bool
    """The metric compares with float32 because the data has no labels."""

    gate: float
    records: int
    """Held-out examples that were scored; a pair is one."""

    calibration: int
    candidates: tuple[Candidate, ...]

    @property
    def reference(self) -> Candidate:
        """The model in float32."""
        return next(each for each in self.candidates if each.verdict is Verdict.REFERENCE)

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that is taken; None when no recipe passes."""
        return next((each for each in self.candidates if each.verdict is Verdict.CHOSEN), None)

    @property
    def refusal(self) -> str | None:
        """Why the model is refused, a sentence; None when a candidate was chosen."""
        if self.chosen is not None:
            return None
        return (
            f"no recipe keeps {self.gate:.2%} of float32's {self.metric} and is faster than float32"
            f"{self._nearest()}"
        )

    def _nearest(self) -> str:
        """What came nearest to being chosen, as the end of a sentence."""
        measured = [each for each in self.candidates if each.verdict is Verdict.REJECTED and each.ratio]
        good = [each for each in measured if (each.ratio or 0.0) >= self.gate]
        nearest = max(good, key=lambda each: each.speed or 0.0, default=None) or max(
            measured, key=lambda each: each.ratio or 0.0, default=None
        )
        return "" if nearest is None else f"; the nearest, {nearest.recipe!r}, {nearest.reason}"

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return dataclasses.asdict(self) | {"refusal": self.refusal}


def judge(candidate: Candidate, gate: float) -> Candidate:
    """The measured *candidate* with its verdict: passed, or rejected with the reason."""
    reason = _objection(candidate, gate)
    verdict = Verdict.PASSED if reason is None else Verdict.REJECTED
    return dataclasses.replace(candidate, verdict=verdict, reason=reason)


def _objection(candidate: Candidate, gate: float) -> str | None:
    if candidate.integer_products == 0:
        return "is weights-only INT8: stored in integers, computed in float"
    if candidate.ratio is None or not candidate.ratio >= gate:  # NaN keeps nothing
        return f"keeps {candidate.ratio or 0.0:.2%} of float32's metric; {gate:.2%} are asked for"
    if candidate.speed is None or candidate.speed < SLOWEST:
        return f"runs at {candidate.speed or 0.0:.2f} times the speed of float32; {SLOWEST} are asked for"
    return None


def choose(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The same candidates with the fastest that passed marked as chosen.

    Of those whose speed is the same as far as can be measured the smallest file wins, then the best metric.
    """
    passed = [each for each in candidates if each.verdict is Verdict.PASSED]
    if not passed:
        return tuple(candidates)
    fastest = max(each.speed or 0.0 for each in passed)
    level = [each for each in passed if (each.speed or 0.0) >= fastest * (1 - NOISE)]
    best = min(level, key=lambda each: (each.size or 0, -(each.metric or 0.0)))
    chosen = dataclasses.replace(best, verdict=Verdict.CHOSEN)
    return tuple(chosen if each is best else each for each in candidates)
