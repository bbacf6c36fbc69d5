"""The power is cut while journal, results and the platform store are being written: what was promised is there."""

import logging
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parkade_agent.errors import JournalBroken
from support import hasty
from support.booking import Desk, desk
from support.hasty import body_of
from support.hasty_store import objects_in
from support.hasty_vehicle import NOTE, NOWHERE, WORD, word_of
from support.power_cut import Disk, NoDisk
from support.vehicles import Certificates, certificates

VEHICLES = 3
CUTS = 6
MOST_PROMISES = 60
MEAN_SECONDS = 0.05
_log = logging.getLogger(__name__)


@dataclass
class Promises:
    """The numbers that were promised, by their kind, over all lives on one disk, and how often its power was cut."""

    said: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    cuts: int = 0

    def hear(self, lines: list[str]) -> None:
        """Takes in what a life said before its end."""
        self.cuts += 1
        for kind, number in map(str.split, lines):
            self.said[kind].add(int(number))


class Lives:
    """The process of a hasty program, whose forks are its lives."""

    def __init__(self, program: str, *arguments: str) -> None:
        command = (sys.executable, "-m", f"support.{program}", *arguments)
        environment = os.environ | {"PYTHONPATH": str(Path(hasty.__file__).parents[1])}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def one(self, disk: Disk, least: int, seconds: float) -> list[str]:
        """Lives on *disk* until the power is cut, *seconds* after *least* promises; all that were made until then."""
        with disk.mounted() as state:
            print(state, file=self._process.stdin, flush=True)
            pid = int(self._line().removeprefix("pid "))
            made = [self._promise() for _ in range(least)]
            time.sleep(seconds)  # any moment is right
            # A sync that is under way goes on without its process, and is cut off.
            os.kill(pid, signal.SIGKILL)
            disk.cut_power()
            return [*made, *iter(self._line, "dead")]

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _promise(self) -> str:
        line = self._line()
        assert line != "dead", "it has ended before its power was cut"
        return line

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().rstrip("\n")
        assert line, "it has ended, and no other life can begin"
        return line


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def dice() -> random.Random:
    """Chances that `PARKADE_SEED` repeats."""
    seed = int(os.environ.get("PARKADE_SEED", secrets.randbelow(1_000_000)))
    _log.warning("PARKADE_SEED=%d repeats these moments", seed)
    return random.Random(seed)  # noqa: S311 - no secret


@pytest.fixture
def new_disk(tmp_path: Path) -> Callable[[str], Disk]:
    """Makes disks by name."""

    def make(name: str) -> Disk:
        (tmp_path / name).mkdir()
        try:
            disk = Disk(tmp_path / name)
            with disk.mounted():
                return disk
        except NoDisk as error:
            pytest.skip(f"only who may mount a file system can cut its power: {error}")

    return make


@pytest.fixture
def new_lives(tmp_path: Path) -> Iterator[Callable[[str, str], Lives]]:
    """Makes hasty programs that leave a sync out."""
    made: list[Lives] = []

    def make(program: str, left_out: str) -> Lives:
        made.append(Lives(program, left_out, str(tmp_path / "keys")))
        return made[-1]

    yield make
    for lives in made:
        lives.close()


async def after_a_cut(disk: Disk, promises: Promises, certs: Certificates) -> object:
    """What the next agent misses on the disk; an empty answer when all is well."""
    with disk.mounted() as state:
        async with desk(state, NOWHERE, certs) as vehicle:
            try:
                return missed(vehicle, promises)
            except JournalBroken as error:
                return error


def missed(vehicle: Desk, promises: Promises) -> dict[str, set[int]]:
    """The promises that a vehicle cannot keep, and what it has lost beyond the record in hand at each cut."""
    in_hand = {attempt.shard.shard for attempt in vehicle.recover()}
    kept = {each.attempt.shard.shard: each.read() for each in vehicle.book._finished.values()}
    whole = {number for number, body in kept.items() if body == body_of(number)}
    begun = set(range(1, vehicle.journal.last_counter() + 1))
    noted = int(vehicle.journal.recall(NOTE) or 0)
    piece = vehicle.journal.attempts.number_piece("lease-1", [], 0)
    found = {
        "counters": promises.said["obeyed"] - begun,
        "notes": promises.said["noted"] - set(range(noted + 1)),
        "words": promises.said["said"] - set(range(said_in(vehicle.state / WORD) + 1)),
        "shards in hand": promises.said["taken"] - in_hand - whole,
        "results": promises.said["finished"] - whole,
        "torn results": kept.keys() - whole,
        "numbers of pieces": promises.said["piece"] - set(range(piece)),
        "more than one record a cut": set(sorted(begun - whole)[promises.cuts :]),
    }
    return {what: numbers for what, numbers in found.items() if numbers}


def said_in(word: Path) -> int:
    """The number that the file says, 0 when it is torn or was never there."""
    content = word.read_bytes() if word.exists() else b""
    number = int(content.partition(b" ")[0] or 0)
    return number if content == word_of(number) else 0


async def test_a_power_cut_takes_the_record_in_hand_at_most(
    new_disk: Callable[[str], Disk],
    new_lives: Callable[[str, str], Lives],
    certs: Certificates,
    dice: random.Random,
) -> None:
    """At any moment, also of the journal's making and of a sync: what was said to be kept is kept, whole."""
    lives, finished = new_lives("hasty_vehicle", "none"), 0
    for number in range(VEHICLES):
        disk, promises = new_disk(f"disk-{number}"), Promises()
        for life in range(CUTS):
            least = dice.randrange(MOST_PROMISES) if life else 0
            promises.hear(lives.one(disk, least, dice.expovariate(1 / MEAN_SECONDS)))
            assert await after_a_cut(disk, promises, certs) == {}
        finished += len(promises.said["finished"])
    assert finished > VEHICLES * CUTS


@pytest.mark.parametrize(
    ("sync", "loss"), [("journal", {"counters", "results"}), ("results", {"results", "torn results"})]
)
async def test_without_a_sync_a_power_cut_takes_more(
    new_disk: Callable[[str], Disk],
    new_lives: Callable[[str, str], Lives],
    certs: Certificates,
    sync: str,
    loss: set[str],
) -> None:
    """That shows what the test above can see: neither the journal's syncs nor the results' are there for nothing."""
    disk, promises = new_disk("disk"), Promises()
    promises.hear(new_lives("hasty_vehicle", sync).one(disk, MOST_PROMISES, 0))
    missing = await after_a_cut(disk, promises, certs)
    assert isinstance(missing, JournalBroken) or loss <= set(missing)


@pytest.mark.parametrize("left_out", ["none", "objects"])
async def test_an_object_of_the_store_is_whole_or_not_there(
    new_disk: Callable[[str], Disk],
    new_lives: Callable[[str, str], Lives],
    dice: random.Random,
    left_out: str,
) -> None:
    """Plans, shards, segments of the log and the user's files are created like this; without their sync they tear."""
    lives, disk, promises, is_torn = new_lives("hasty_store", left_out), new_disk("disk"), Promises(), False
    for _ in range(CUTS):
        promises.hear(lives.one(disk, dice.randrange(1, MOST_PROMISES), dice.expovariate(1 / MEAN_SECONDS)))
        with disk.mounted() as folder:
            found = objects_in(folder)
        is_torn |= any(body != body_of(number) for number, body in found.items())
        assert promises.said["created"] <= found.keys()
    assert is_torn == (left_out == "objects")
