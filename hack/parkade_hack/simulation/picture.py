"""A day as SVG: one row of minutes for each vehicle, and under them what all of them compute with and what it costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from itertools import groupby
from typing import Final


class Shade(StrEnum):
    """What a minute is drawn as; the value is its colour."""

    COMPUTING = "#73bf69"
    PLUGGED = "#5794f2"
    HOT = "#f2495c"
    DRIVING = "#f2cc0c"
    PARKED = "#3b3f46"


@dataclass(frozen=True, slots=True)
class Row:
    """One vehicle's day."""

    name: str
    shades: list[Shade]


_WIDTH: Final = 1200
_LEFT: Final = 210
_ROW: Final = 9
_TOP: Final = 58
_CURVE: Final = 110
_GAP: Final = 34
_WORDS: Final = {
    Shade.COMPUTING: "computing",
    Shade.PLUGGED: "plugged in, not computing",
    Shade.HOT: "too hot",
    Shade.DRIVING: "driving",
    Shade.PARKED: "parked without a plug",
}
_STYLE: Final = """<style>
text { font: 11px sans-serif; fill: #ccccdc } .title { font: bold 15px sans-serif } .name { font-size: 7.5px }
.axis { font-size: 10px; fill: #8e8e9e } .grid { stroke: #2c3235 } polyline { fill: none; stroke-width: 1.5 }
</style>"""


def picture(day: str, rows: Sequence[Row], watts: Sequence[float], price: Sequence[float]) -> str:
    """The whole picture; *watts* of all vehicles together and *price* in EUR/kWh are by the minute, as rows are."""
    minutes, bottom = len(watts), _TOP + _ROW * len(rows)
    height = bottom + _GAP + _CURVE + _GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}">',
            _STYLE,
            f'<rect width="{_WIDTH}" height="{height}" fill="#111217"/>',
            f'<text class="title" x="12" y="22">{escape(day)}: {len(rows)} simulated vehicles</text>',
            *_legend(),
            *(part for number, row in enumerate(rows) for part in _row(row, number, minutes)),
            *_hours(_TOP, height - _GAP),
            *_curve(
                [watt / 1000 for watt in watts],
                "kW that the vehicles compute with",
                bottom + _GAP,
                "#73bf69",
                _LEFT,
            ),
            *_curve(price, "EUR/kWh, day ahead", bottom + _GAP, "#b877d9", _WIDTH - 12, is_right=True),
            "</svg>\n",
        ]
    )


def _legend() -> Iterator[str]:
    for number, (shade, words) in enumerate(_WORDS.items()):
        x = _LEFT + number * 170
        yield f'<rect x="{x}" y="32" width="12" height="10" fill="{shade}"/>'
        yield f'<text x="{x + 17}" y="41">{words}</text>'


def _row(row: Row, number: int, minutes: int) -> Iterator[str]:
    y = _TOP + number * _ROW
    yield f'<text class="name" x="{_LEFT - 6}" y="{y + 7}" text-anchor="end">{escape(row.name)}</text>'
    begin = 0
    for shade, run in groupby(row.shades):
        length = sum(1 for _ in run)
        x, width = _x(begin, minutes), length / minutes * (_WIDTH - 12 - _LEFT)
        yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 2}" fill="{shade}"/>'
        begin += length


def _hours(top: int, bottom: int) -> Iterator[str]:
    for hour in range(0, 25, 3):
        x = _x(hour, 24)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
        yield f'<text class="axis" x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{hour}:00</text>'


def _curve(
    values: Sequence[float], words: str, top: int, colour: str, label_x: int, *, is_right: bool = False
) -> Iterator[str]:
    """One line over the day from 0 to its highest value, which is written beside its name."""
    highest = max(*values, 1e-9)
    places = " ".join(
        f"{_x(minute, len(values)):.1f},{top + _CURVE * (1 - max(0.0, value) / highest):.1f}"
        for minute, value in enumerate(values)
        if minute % 5 == 0
    )
    anchor = "end" if is_right else "start"
    yield f'<polyline stroke="{colour}" points="{places}"/>'
    yield (
        f'<text x="{label_x}" y="{top - 6}" text-anchor="{anchor}" fill="{colour}">'
        f"{words}: up to {highest:.2f}</text>"
    )


def _x(part: float, whole: float) -> float:
    return _LEFT + part / whole * (_WIDTH - 12 - _LEFT)
