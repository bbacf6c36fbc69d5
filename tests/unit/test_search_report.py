"""The fastest candidate that keeps the gate is taken, and every other says why it is not."""

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_models.search.picture import draw
from parkade_models.search.report import Candidate, Report, Verdict, choose, judge

REFERENCE = Candidate("float32, folded", Verdict.REFERENCE, metric=0.5, ratio=1.0, speed=1.0, size=4)


def _measured(
    recipe: str = "dynamic, MatMul", ratio: float = 1.0, speed: float = 2.0, integer: int = 3, size: int = 1
) -> Candidate:
    return Candidate(
        recipe,
        Verdict.PASSED,
        metric=ratio / 2,
        ratio=ratio,
        speed=speed,
        size=size,
        integer_products=integer,
    )


def _report(*candidates: Candidate) -> Report:
    tried = (judge(each, 0.99) if each.verdict is Verdict.PASSED else each for each in candidates)
    judged = choose([REFERENCE, *tried])
    return Report(
        "small", "accuracy", weaker=False, gate=0.99, records=100, calibration=10, candidates=judged
    )


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (_measured(), None),
        (_measured(ratio=0.99), None),
        (_measured(ratio=0.9899), "keeps 98.99% of float32's metric; 99.00% are asked for"),
        (_measured(ratio=math.nan), "keeps nan% of float32's metric; 99.00% are asked for"),
        (_measured(speed=1.04), "runs at 1.04 times the speed of float32; 1.05 are asked for"),
        (_measured(speed=0.3, ratio=0.5), "keeps 50.00% of float32's metric; 99.00% are asked for"),
        (_measured(integer=0), "is weights-only INT8: stored in integers, computed in float"),
    ],
)
def test_rejection_says_why(candidate: Candidate, reason: str | None) -> None:
    """Quality under the gate, no gain in speed and arithmetic in float are named with their figures."""
    judged = judge(candidate, 0.99)
    assert judged.reason == reason
    assert judged.verdict == (Verdict.PASSED if reason is None else Verdict.REJECTED)


@given(st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(0.5, 4.0)), max_size=8))
def test_fastest_that_passes_is_chosen(figures: list[tuple[float, float]]) -> None:
    """One candidate is chosen when any passes, and none that passes is measurably faster."""
    report = _report(*(_measured(ratio=ratio, speed=speed) for ratio, speed in figures))
    good = [speed for ratio, speed in figures if ratio >= 0.99 and speed >= 1.05]
    assert (report.chosen is None) == (not good)
    assert report.chosen is None or (report.chosen.speed or 0) >= 0.95 * max(good)
    assert (report.refusal is None) == bool(good)
    assert [each.recipe for each in report.candidates[1:]] == ["dynamic, MatMul"] * len(figures)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([_measured("a", speed=2.0), _measured("b", speed=2.2)], "b"),
        ([_measured("a", speed=2.0, size=1), _measured("b", speed=2.05, size=2)], "a"),
        ([_measured("a", speed=2.0, size=2), _measured("b", speed=2.05, size=2, ratio=0.995)], "a"),
        ([_measured("a", speed=2.0), _measured("b", speed=2.0)], "a"),
    ],
)
def test_level_speeds_are_told_apart_by_size(candidates: list[Candidate], chosen: str) -> None:
    """Speeds within what can be measured are level: the smaller file wins, then the better metric, then the first."""
    report = _report(*candidates)
    assert report.chosen is not None
    assert report.chosen.recipe == chosen


def test_refusal_names_the_nearest() -> None:
    """When nothing passes, the sentence names gate, metric and the best candidate."""
    report = _report(_measured("dynamic, MatMul", ratio=0.7), _measured("static MinMax, Conv", ratio=0.9))
    assert report.refusal == (
        "no recipe keeps 99.00% of float32's accuracy and is faster than float32; "
        "the nearest, 'static MinMax, Conv', keeps 90.00% of float32's metric; 99.00% are asked for"
    )
    slow = _report(_measured("dynamic, MatMul", speed=0.8), _measured("static MinMax, Conv", speed=0.6))
    assert (slow.refusal or "").endswith(
        "; the nearest, 'dynamic, MatMul', runs at 0.80 times the speed of float32; 1.05 are asked for"
    )
    assert _report().refusal == "no recipe keeps 99.00% of float32's accuracy and is faster than float32"


def test_report_is_json() -> None:
    """The report is plain data: JSON holds every candidate with its verdict and the refusal."""
    report = _report(
        _measured(), Candidate("static MinMax, Conv", Verdict.NOT_APPLICABLE, "the graph has no Conv")
    )
    row = orjson.loads(orjson.dumps(report.as_json()))
    assert [each["verdict"] for each in row["candidates"]] == ["reference", "chosen", "not applicable"]
    assert row["refusal"] is None


def test_picture_is_the_same_bytes_for_the_same_report() -> None:
    """The picture names the candidates that were measured, marks the chosen one, and holds no date."""
    report = _report(
        _measured(), _measured("static MinMax, Conv", ratio=0.5), Candidate("none", Verdict.REJECTED)
    )
    picture = draw(report)
    assert picture == draw(report)
    text = picture.decode()
    assert "dynamic, MatMul: chosen" in text
    assert "static MinMax, Conv: rejected" in text
    assert "none: rejected" not in text
    assert "date" not in text.lower()
