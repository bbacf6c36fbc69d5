"""One day of many vehicles: played for the picture, and written as recordings that simulated agents play."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from parkade_api.wellknown import Reason
from parkade_hack.simulation.body import COMPUTE_WATTS
from parkade_hack.simulation.course import Course, Subject
from parkade_hack.simulation.drawing import DAY, draw
from parkade_hack.simulation.picture import Row, Shade, picture
from parkade_hack.simulation.play import LANES, Moment, Player
from parkade_hack.simulation.pool import RULES, owners_word
from parkade_hack.simulation.senses import Senses, recording
from parkade_hack.simulation.sources import load

_T = TypeVar("_T")


def picture_of_day(path: Path, seed: int, vehicles: int, day: datetime) -> None:
    """Draws the day of that many vehicles into *path*. Raises OSError."""
    rows, watts, price = list[Row](), list[float](), list[float]()
    for subject, moments in played_day(seed, vehicles, day):
        rows.append(Row(subject.name, [_shade(subject.course, n, moment) for n, moment in moments]))
        used = [COMPUTE_WATTS * moment.lanes / LANES for _, moment in moments]
        watts = [before + now for before, now in zip(watts or [0.0] * len(used), used, strict=True)]
        price = subject.course.price[DAY : 2 * DAY].tolist()
    rows.sort(key=lambda row: (-row.shades.count(Shade.COMPUTING), row.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture(f"{day:%-d %B %Y}", rows, watts, price), encoding="utf-8")


def write_recordings(folder: Path, seed: int, vehicles: int, day: datetime) -> None:
    """Writes what each vehicle's bus says on that day, `<number>.jsonl`, and its course of three, `<number>.npz`.

    Bodies are of vehicles that do not compute: a recording cannot know what its player will do. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, subject in enumerate(_drawn(seed, vehicles, day)):
        lines = recording(Senses(subject), _middle(subject.at_rest()))
        (folder / f"{number}.jsonl").write_text("".join(lines), encoding="utf-8")
        subject.save(folder / f"{number}.npz")


def played_day(seed: int, vehicles: int, day: datetime) -> Iterator[tuple[Subject, list[tuple[int, Moment]]]]:
    """Every vehicle with the minutes of that day."""
    for subject in _drawn(seed, vehicles, day):
        yield subject, list(_middle(Player(subject, RULES, owners_word(subject.begins))))


def _drawn(seed: int, vehicles: int, day: datetime) -> Iterator[Subject]:
    """Three days of each, with *day* in the middle: a course begins at the plug, where nobody would be otherwise."""
    sources = load()
    for number in range(vehicles):
        yield draw(sources, seed, number, day - timedelta(days=1), days=3)


def _middle(minutes: Iterable[_T]) -> Iterator[tuple[int, _T]]:
    """The minutes of the second day, each with its number."""
    return islice(enumerate(minutes), DAY, 2 * DAY)


def _shade(course: Course, minute: int, moment: Moment) -> Shade:
    """What of a minute is drawn: the first that is true."""
    if course.driving[minute]:
        return Shade.DRIVING
    if moment.lanes > 0:
        return Shade.COMPUTING
    if Reason.TOO_HOT in moment.state.reasons:
        return Shade.HOT
    return Shade.PLUGGED if course.plugged[minute] else Shade.PARKED
