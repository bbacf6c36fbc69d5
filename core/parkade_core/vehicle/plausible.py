"""Whether a reading can be true: its type and range, and whether its source's clock runs like ours.

Words given here end up in conditions and in front of owners. None of them holds the value of a place.
"""

from dataclasses import dataclass
from typing import Final

from parkade_api.vss import PLACE, SIGNALS, Kind, Signal

Value = float | bool | str

CLOCK_TOLERANCE: Final = 5.0
"""Seconds by which a source's clock may run away from ours between two stamps of one path."""
_ABSURD = 1e15  # nothing that a vehicle measures comes near
_LONGEST_WORD = 24


def name_of(path: str) -> str:
    """What *path* is called in sentences for people."""
    signal = SIGNALS.get(path)
    return path if signal is None else signal.name


def why_impossible(path: str, value: Value) -> str:
    """Why *value* cannot be true of *path*, as a sentence; empty when it can."""
    signal = SIGNALS.get(path)
    if signal is None:
        return f"{path} is no signal that Parkade reads"
    if kind_of(value) is not signal.kind:
        return f"{name_of(path)} is {kind_of(value).value} and must be {signal.kind.value}"
    if isinstance(value, str):
        return _word(path, value, signal)
    return "" if isinstance(value, bool) else _range(path, value, signal)


def kind_of(value: Value) -> Kind:
    """What *value* is."""
    match value:
        case bool():
            return Kind.FLAG
        case str():
            return Kind.TEXT
        case _:
            return Kind.NUMBER


def _word(path: str, value: str, signal: Signal) -> str:
    if not signal.words or value in signal.words:
        return ""
    return f"{name_of(path)} {value[:_LONGEST_WORD]!r} is none of {', '.join(signal.words)}"


def _range(path: str, value: float, signal: Signal) -> str:
    if not abs(value) < _ABSURD:  # so is NaN, and an integer that no float holds
        return f"{name_of(path)} is no finite number"
    if signal.least <= value <= signal.most:
        return ""
    said = name_of(path) if path in PLACE else f"{name_of(path)} {value:g} {signal.unit}"
    return f"{said} is outside {signal.least:g}..{signal.most:g}"


@dataclass(frozen=True, slots=True)
class Stamps:
    """What the stamps of one path told of its source's clock: the *newest*, and its *lead* over our clock."""

    newest: float
    lead: float


def follow(stamps: Stamps | None, stamp: float, now: float) -> tuple[Stamps, str]:
    """The source's clock after a new *stamp* that came at *now* on our clock, and how it jumped, if it did.

    A stamp that is late only shows a slow way here. One that is earlier than the one before, or further ahead of
    us than any was, shows a clock that was set. The next stamp is measured against this one.
    """
    lead = stamp - now
    if stamps is None:
        return Stamps(stamp, lead), ""
    if stamp < stamps.newest:
        return Stamps(stamp, lead), f"its clock went back by {stamps.newest - stamp:.0f} s"
    if lead > stamps.lead + CLOCK_TOLERANCE:
        return Stamps(stamp, lead), f"its clock jumped ahead by {lead - stamps.lead:.0f} s"
    return Stamps(stamp, max(lead, stamps.lead)), ""
