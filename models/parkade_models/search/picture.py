"""A picture of a search: metric against speed, the gate as a line, the chosen candidate marked."""

import io
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from parkade_models.search.report import Candidate, Report, Verdict

_STYLES: Final = {
    Verdict.REFERENCE: ("s", "0.4"),
    Verdict.CHOSEN: ("*", "tab:green"),
    Verdict.PASSED: ("o", "tab:green"),
    Verdict.REJECTED: ("x", "tab:red"),
}


def draw(report: Report) -> bytes:
    """The report as SVG: the same bytes for the same report, with text as text."""
    picture = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "parkade", "svg.fonttype": "none"}):
        _figure(report).savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
    return picture.getvalue()


def _figure(report: Report) -> Figure:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for number, candidate in enumerate(report.candidates, start=1):
        _mark(axes, number, candidate)
    axes.axhline(report.gate * (report.reference.metric or 0.0), color="tab:red", linestyle="--", linewidth=1)
    axes.set_xlabel("speed, times float32 (one record a run, one thread, CPU time)")
    axes.set_ylabel(report.metric)
    axes.set_title(
        f"{report.model}: {report.records} held-out examples; dashed: {report.gate:.0%} of float32"
    )
    axes.margins(0.1)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
    return figure


def _mark(axes: Any, number: int, candidate: Candidate) -> None:
    if candidate.speed is None or candidate.metric is None:
        return
    marker, colour = _STYLES[candidate.verdict]
    size = 200 if candidate.verdict is Verdict.CHOSEN else 50
    axes.scatter(
        candidate.speed,
        candidate.metric,
        marker=marker,
        color=colour,
        s=size,
        label=f"{number} {candidate.recipe}: {candidate.verdict}",
    )
    axes.annotate(str(number), (candidate.speed, candidate.metric), xytext=(6, 6), textcoords="offset points")
