"""Many subjects on all cores: each one's course is drawn, seen by the clairvoyant, and played through the guard."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from parkade_hack.simulation.clairvoyant import foresee
from parkade_hack.simulation.drawing import DAY, draw
from parkade_hack.simulation.play import Player
from parkade_hack.simulation.pool import RULES, owners_word
from parkade_hack.simulation.sources import Sources, load
from parkade_hack.simulation.tally import Tally


@dataclass(frozen=True, slots=True)
class Part:
    """One vehicle of a run: its number under the seed, and the days from a midnight."""

    run: str
    seed: int
    number: int
    begins: datetime
    days: int

    @property
    def steps(self) -> int:
        """The minutes in it."""
        return self.days * DAY


def play_all(parts: list[Part], played: Callable[[Part], None]) -> dict[Part, Tally]:
    """The tally of each part; *played* hears of every one that is done. The longest ones begin first."""
    load()
    longest_first = sorted(parts, key=lambda part: -part.days)
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        tasks = {workers.submit(play, part): part for part in longest_first}
        tallies = dict[Part, Tally]()
        for task in as_completed(tasks):
            tallies[tasks[task]] = task.result()
            played(tasks[task])
    return {part: tallies[part] for part in parts}


def play(part: Part) -> Tally:
    """Plays one part to its end, and holds it against what the clairvoyant does with it."""
    subject = draw(_sources(), part.seed, part.number, part.begins, part.days)
    player = Player(subject, RULES, owners_word(part.begins))
    for could, moment in zip(foresee(subject, RULES), player, strict=True):
        player.tally.compare(could, moment.lanes)
    return player.tally


@cache
def _sources() -> Sources:
    return load()
