"""One day of many vehicles: played for the picture, and written as recordings that simulated agents play."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from parkade_api.wellknown import Reason
from parkade_hack.simulation.body import COMPUTE_WATTS
from parkade_hack.simulation.course import Course, Subject
from parkade_hack.simulation.drawing import DAY, draw
from parkade_hack.simulation.picture import Row, Shade, picture
from parkade_hack.simulation.play import LANES, Moment, Player
from parkade_hack.simulation.pool import RULES, owners_word
from parkade_hack.simulation.senses import Senses, recording
from parkade_hack.simulation.sources import load


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
    """Writes what each vehicle's bus says on that day, `<number>.jsonl`, and its course, `<number>.npz`.

    Bodies are of vehicles that do not compute: a recording cannot know what its player will do. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = load()
    for number in range(vehicles):
        subject = draw(sources, seed, number, day, days=1)
        lines = recording(Senses(subject), subject.at_rest())
        (folder / f"{number}.jsonl").write_text("".join(lines), encoding="utf-8")
        subject.save(folder / f"{number}.npz")


def played_day(seed: int, vehicles: int, day: datetime) -> Iterator[tuple[Subject, list[tuple[int, Moment]]]]:
    """Every vehicle with the minutes of that day: one in the middle of three, because a course begins at the plug."""
    sources, before = load(), day - timedelta(days=1)
    for number in range(vehicles):
        subject = draw(sources, seed, number, before, days=3)
        moments = enumerate(Player(subject, RULES, owners_word(before)))
        yield subject, list(islice(moments, DAY, 2 * DAY))


def _shade(course: Course, minute: int, moment: Moment) -> Shade:
    """What of a minute is drawn: the first that is true."""
    if course.driving[minute]:
        return Shade.DRIVING
    if moment.lanes > 0:
        return Shade.COMPUTING
    if Reason.TOO_HOT in moment.state.reasons:
        return Shade.HOT
    return Shade.PLUGGED if course.plugged[minute] else Shade.PARKED
