"""A picture of the dashboard as SVG: the panels' lines as Prometheus answered them, nothing touched up."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from parkade_hack.dashboard.questions import ROWS, Panel, Row
from parkade_hack.dashboard.units import in_unit
from parkade_hack.dashboard.watch import Line
from parkade_hack.prometheus import Point

_COLUMNS: Final = 4
_WIDTH: Final = 1200
_GAP: Final = 12
_PANEL_HEIGHT: Final = 168
_TITLE: Final = 24
_LEGEND: Final = 30
_AXIS: Final = 52
_MOST_NAMES: Final = 5
_COLOURS: Final = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#b877d9", "#f2495c", "#8ab8ff", "#c8c8c8")
_STYLE: Final = """<style>
text { font: 11px sans-serif; fill: #ccccdc } .row { font: bold 15px sans-serif } .title { font: bold 12px sans-serif }
.panel { fill: #181b1f; stroke: #2c3235 } .grid { stroke: #2c3235 } polyline { fill: none; stroke-width: 1.5 }
.name { font-size: 10px } .axis { font-size: 10px; fill: #8e8e9e }
</style>"""

Answers = Mapping[Panel, Sequence[Line]]
Span = tuple[float, float]


def draw(answers: Answers) -> str:
    """The whole dashboard."""
    parts, top = list[str](), _GAP
    times = [at for lines in answers.values() for line in lines for at, _ in line.points]
    span = (min(times), max(times))
    for row in ROWS:
        drawn, top = _draw_row(row, answers, span, top)
        parts += drawn
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}">',
            _STYLE,
            f'<rect width="{_WIDTH}" height="{top}" fill="#111217"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _draw_row(row: Row, answers: Answers, span: Span, top: int) -> tuple[list[str], int]:
    """The row's parts, and where the next one begins."""
    parts = [f'<text class="row" x="{_GAP}" y="{top + 16}">{escape(row.question)}</text>']
    top += _TITLE
    columns = min(len(row.panels), _COLUMNS)
    width = (_WIDTH - _GAP * (columns + 1)) / columns
    for number, panel in enumerate(row.panels):
        line, column = divmod(number, columns)
        x, y = _GAP + column * (width + _GAP), top + line * (_PANEL_HEIGHT + _GAP)
        drawn = _draw_panel(panel, answers[panel], span, width)
        parts.append(f'<g transform="translate({x:.0f} {y})">{drawn}</g>')
    height = math.ceil(len(row.panels) / columns) * (_PANEL_HEIGHT + _GAP)
    return parts, top + height + _GAP


def _draw_panel(panel: Panel, lines: Sequence[Line], span: Span, width: float) -> str:
    shown = _most_telling(lines)
    parts = [
        f'<rect class="panel" width="{width:.0f}" height="{_PANEL_HEIGHT}" rx="3"/>',
        f'<text class="title" x="10" y="17">{escape(panel.title)}</text>',
    ]
    if shown:
        frame = _Frame(span, _highest_of(shown), width)
        parts += frame.grid(panel.unit)
        parts += [frame.line(line, _COLOURS[n % len(_COLOURS)]) for n, line in enumerate(shown)]
    return "".join([*parts, *_legend(shown, width)])


def _most_telling(lines: Sequence[Line]) -> list[Line]:
    """The lines that are not always 0, the highest first; the first ones if all are."""
    highest = sorted(lines, key=lambda line: _highest_of([line]), reverse=True)
    return ([line for line in highest if _highest_of([line]) > 0] or highest)[:_MOST_NAMES]


def _highest_of(lines: Sequence[Line]) -> float:
    values = (value for line in lines for _, value in line.points)
    return max((value for value in values if not math.isnan(value)), default=0.0)


def _legend(lines: Sequence[Line], width: float) -> list[str]:
    step = (width - 20) / max(1, len(lines))
    y = _PANEL_HEIGHT - 9
    parts = list[str]()
    for number, line in enumerate(lines):
        x, colour = 10 + number * step, _COLOURS[number % len(_COLOURS)]
        parts.append(f'<rect x="{x:.0f}" y="{y - 7}" width="8" height="3" fill="{colour}"/>')
        parts.append(f'<text class="name" x="{x + 12:.0f}" y="{y}">{escape(_short(line.name, step))}</text>')
    return parts


def _short(name: str, width: float) -> str:
    most = max(4, int((width - 14) / 5.4))
    return name if len(name) <= most else f"{name[: most - 1]}…"


class _Frame:
    """Where a point of a panel is drawn."""

    def __init__(self, span: Span, highest: float, width: float) -> None:
        self._start, self._seconds = span[0], max(span[1] - span[0], 1.0)
        self._top = _round_up(highest)
        self._left, self._width = _AXIS, width - _AXIS - 10
        self._bottom, self._height = _PANEL_HEIGHT - _LEGEND, _PANEL_HEIGHT - _LEGEND - _TITLE - 6

    def grid(self, unit: str) -> list[str]:
        """Three lines with their values."""
        parts = list[str]()
        for share in (0.0, 0.5, 1.0):
            y = self._bottom - share * self._height
            end = self._left + self._width
            parts.append(f'<line class="grid" x1="{self._left}" x2="{end:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            label = escape(in_unit(share * self._top, unit))
            parts.append(
                f'<text class="axis" x="{self._left - 6}" y="{y + 3:.1f}" text-anchor="end">{label}</text>'
            )
        return parts

    def line(self, line: Line, colour: str) -> str:
        """One line; where there was no number, there is none."""
        places = " ".join(self._place(point) for point in line.points if not math.isnan(point[1]))
        return f'<polyline stroke="{colour}" points="{places}"/>'

    def _place(self, point: Point) -> str:
        x = self._left + (point[0] - self._start) / self._seconds * self._width
        y = self._bottom - point[1] / self._top * self._height
        return f"{x:.1f},{y:.1f}"


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 3, 4, 5, 6, 8, 10) if factor * power >= value * 0.999)
