"""Numbers as people read them on an axis, by Grafana's names of units."""

from typing import Final

_SCALES: Final = {
    "s": ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (0.001, "ms"), (0.000001, "µs")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "short": ((1e6, "M"), (1e3, "k"), (1.0, "")),
    "reqps": ((1.0, "/s"),),
}


def in_unit(value: float, unit: str) -> str:
    """*value* with two or three digits: "120 ms", "96 MiB", "45 %". Raises KeyError for a unit that is not known."""
    if unit == "percentunit":
        return f"{value:.0%}".replace("%", " %")
    scales = _SCALES[unit]
    size, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    if value == 0:
        size, name = 1.0, scales[0][1] if len(scales) == 1 else ""
    return f"{value / size:.3g} {name}".strip()
