"""`make sim`: draws a day of many vehicles, plays a year of one and a month of many, and says how the guard did.

Exit codes: 0 all promises held; 1 one was broken; 2 the sources cannot be had.
"""

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from parkade_hack.environments import InstallError
from parkade_hack.simulation import report
from parkade_hack.simulation.day import picture_of_day, write_recordings
from parkade_hack.simulation.runs import Part, play_all
from parkade_hack.simulation.sources import load
from parkade_hack.simulation.tally import Tally, total

YEAR: Final = datetime(2016, 1, 1, tzinfo=UTC)
YEARS_VEHICLE: Final = 2
MONTH: Final = datetime(2016, 7, 1, tzinfo=UTC)
DAY: Final = "2016-07-20"


def main() -> None:
    """Runs it all."""
    options = _options()
    began = time.monotonic()
    try:
        load()
    except (InstallError, subprocess.CalledProcessError) as error:
        sys.exit(f"the simulation's sources cannot be had: {error}")
    if options.picture:
        picture_of_day(options.picture, options.seed, options.day_vehicles, options.day)
        print(f"a day of {options.day_vehicles} vehicles: {options.picture}")
    if options.recordings:
        write_recordings(options.recordings, options.seed, options.day_vehicles, options.day)
    tallies = _play(options)
    print(report.table(tallies))
    broken = report.broken_promises(tallies)
    for sentence in broken:
        print(sentence)
    print(report.figures(tallies, time.monotonic() - began))
    sys.exit(1 if broken else 0)


def _play(options: argparse.Namespace) -> dict[str, Tally]:
    year = [Part("year", options.seed, YEARS_VEHICLE, YEAR, options.year_days)]
    month = [Part("month", options.seed, n, MONTH, options.month_days) for n in range(options.vehicles)]
    parts = year + month
    with _progress() as progress:
        bar = progress.add_task("minutes played", total=sum(part.steps for part in parts))
        tallies = play_all(parts, lambda part: progress.advance(bar, part.steps))
    return {
        run: total(tally for part, tally in tallies.items() if part.run == run) for run in ("year", "month")
    }


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %")
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vehicles", type=int, default=200, help="of the month")
    parser.add_argument("--month-days", type=int, default=30)
    parser.add_argument("--year-days", type=int, default=365)
    parser.add_argument("--day-vehicles", type=int, default=50)
    parser.add_argument("--day", type=_midnight, default=_midnight(DAY), help="of picture and recordings")
    parser.add_argument("--picture", type=Path, help="where the day's picture goes; none without")
    parser.add_argument("--recordings", type=Path, help="folder for the day as recordings; none without")
    return parser.parse_args()


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
