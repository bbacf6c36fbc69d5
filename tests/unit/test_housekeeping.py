"""The platform store is emptied of batches that nobody will lead again, and of nothing else."""

import asyncio
import errno
import os
import random
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_core.batch.retention import StoredBatch, why_kept
from parkade_operator.gateway import housekeeping
from parkade_operator.gateway.housekeeping import Housekeeping, fetch_unfinished
from parkade_operator.kube.errors import KubeError, Unavailable
from parkade_operator.shards import layout
from parkade_operator.shards.errors import NoSuchObject, StoreUnfit
from parkade_operator.shards.store import PlatformStore
from support.apiserver import serving

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("age", "is_led", "is_unfinished", "why"),
    [
        (DAY, False, False, None),
        (9 * DAY, False, False, None),
        (DAY - 360, False, False, "it was written to 23.9 h ago and is kept for 24 h"),
        (-HOUR, False, False, "it was written to -1.0 h ago and is kept for 24 h"),
        (9 * DAY, True, False, "it is led here"),
        (9 * DAY, False, True, "its InferenceBatch is not finished"),
        (9 * DAY, True, True, "it is led here"),
    ],
)
def test_only_what_nobody_leads_again_goes_after_a_day(
    age: float,
    is_led: bool,  # noqa: FBT001 - a column
    is_unfinished: bool,  # noqa: FBT001 - a column
    why: str | None,
) -> None:
    """A batch that is led, unfinished or young is kept, each for its own reason."""
    assert why_kept(StoredBatch("b", age, is_led, is_unfinished), DAY) == why


class House:
    """A store, and what its gateway and the API server say of its batches."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "store"
        self.store = PlatformStore(self.root)
        self.led: set[str] = set()
        self.unfinished: set[str] = set()
        self.questions = 0
        self.housekeeping = Housekeeping(self.store, DAY, self.led.__contains__, self.ask)

    async def ask(self) -> set[str]:
        """Stands for the API server."""
        self.questions += 1
        return self.unfinished

    async def add(self, uid: str, hours: float) -> None:
        """A batch with one object of each kind, last written to *hours* ago."""
        for key in (
            layout.signature(uid),
            layout.shard(uid, 0),
            layout.rejects(uid),
            layout.plan(uid),
            layout.segment(uid, 0),
            layout.piece(uid, "lease", 0),
            layout.segment(uid, 1),
            layout.manifest(uid),
        ):
            await self.store.create(key, b"x")
            self.age(key, hours)

    def age(self, key: str, hours: float) -> None:
        """Let an object have been created *hours* ago."""
        moment = time.time() - hours * HOUR
        os.utime(self.root / key, (moment, moment))

    def batches(self) -> set[str]:
        """The batches of which anything is there, an empty folder, too."""
        return {path.name for path in (self.root / layout.BATCHES).iterdir()}

    def files(self) -> list[Path]:
        """Every file of the store."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An empty store and its housekeeping."""
    house = House(tmp_path)
    yield house
    house.store.close()


async def test_a_sweep_takes_whole_batches(house: House) -> None:
    """What ended yesterday is gone with its folder; others keep every object, and so do bundles."""
    for uid, hours in (("old", 25), ("young", 23), ("led", 99), ("waiting", 99)):
        await house.add(uid, hours)
    bundle = layout.bundle_file("sha256:ab", "bundle.json")
    await house.store.create(bundle, b"{}")
    house.age(bundle, 99)
    before = house.files()
    house.led.add("led")
    house.unfinished.add("waiting")
    await house.housekeeping.sweep()
    assert house.batches() == {"young", "led", "waiting"}
    assert house.files() == [path for path in before if "old" not in path.parts]


@pytest.mark.parametrize("newest", ["log/0000000001", "results/lease/0", "manifest", "plan"])
async def test_the_newest_object_of_all_counts(house: House, newest: str) -> None:
    """A batch whose last write is young is kept, whichever object it was."""
    await house.add("b", 99)
    house.age(f"batches/b/{newest}", 1)
    await house.housekeeping.sweep()
    assert len(house.files()) == 8


async def test_a_sweep_that_died_anywhere_is_finished_by_the_next(house: House) -> None:
    """Whatever was removed before a crash, and in whatever order, the rest goes at the next sweep."""
    dice = random.Random(7)  # noqa: S311 - no secret
    for removed in range(9):
        await house.add(f"b{removed}", 25)
        files = [path for path in house.files() if f"b{removed}" in path.parts]
        for path in dice.sample(files, removed):
            path.unlink()
    await house.housekeeping.sweep()
    assert house.batches() == set()


async def test_a_batch_that_cannot_be_removed_holds_up_no_other(house: House) -> None:
    """What is no folder of ours is told of and stays; the batches before and after it go."""
    await house.add("a", 25)
    await house.add("z", 25)
    (house.root / "elsewhere").mkdir()
    (house.root / "batches/link").symlink_to(house.root / "elsewhere")
    await house.housekeeping.sweep()
    assert house.batches() == {"link"}


async def test_without_the_api_servers_word_nothing_goes(house: House, tmp_path: Path) -> None:
    """When the list of InferenceBatches breaks off after its first page, every batch stays."""
    await house.add("old", 99)
    async with serving(tmp_path) as (server, client):
        page = {"metadata": {"continue": "more"}, "items": [{"metadata": {"uid": "other"}}]}
        server.answer(page)
        server.refuse(410, "Expired", "the continue token is too old")
        sweeper = Housekeeping(house.store, DAY, house.led.__contains__, lambda: fetch_unfinished(client))
        with pytest.raises(KubeError):
            await sweeper.sweep()
    assert house.batches() == {"old"}


async def test_every_page_of_unfinished_batches_is_read(tmp_path: Path) -> None:
    """Batches of all pages count as unfinished until their status says Completed or Failed."""
    phases = {"new": None, "queued": "Queued", "run": "InProgress", "done": "Completed", "bad": "Failed"}
    items = [
        {"metadata": {"uid": uid}, **({"status": {"phase": phase}} if phase else {})}
        for uid, phase in phases.items()
    ]
    async with serving(tmp_path) as (server, client):
        server.answer({"metadata": {"continue": "more"}, "items": items[:2]})
        server.answer({"metadata": {}, "items": items[2:]})
        assert await fetch_unfinished(client) == {"new", "queued", "run"}


async def test_nobody_is_asked_while_there_is_nothing_to_remove(house: House) -> None:
    """An empty store, or one of led batches only, costs the API server nothing."""
    await house.housekeeping.sweep()
    await house.add("led", 99)
    house.led.add("led")
    await house.housekeeping.sweep()
    assert house.questions == 0


async def test_a_removed_batch_can_be_planned_again(house: House) -> None:
    """The store makes the folders anew that it knew before they went."""
    await house.add("b", 25)
    await house.housekeeping.sweep()
    await house.add("b", 0)
    assert len(house.files()) == 8


async def test_a_full_store_is_opened_and_swept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that starts on a full disk starts, and makes room; a store that was never tried is refused."""
    await house.store.probe()
    await house.add("old", 25)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        await house.store.probe()
        await house.housekeeping.sweep()
        assert house.batches() == set()
        (house.root / "probe/create-only").unlink()
        with pytest.raises(StoreUnfit, match="No space left on device"):
            await house.store.probe()


async def test_it_is_shown_how_full_the_store_is(house: House) -> None:
    """Nothing before the first look; then what df says."""
    assert list(house.housekeeping.readings()) == []
    await house.housekeeping.measure()
    used, free = (value for _, _, value in house.housekeeping.readings())
    found = shutil.disk_usage(house.root)
    assert used == pytest.approx(found.used, rel=0.05)
    assert free == pytest.approx(found.free, rel=0.05)


async def test_what_a_former_leader_still_writes_leads_to_nothing(house: House) -> None:
    """A create that lands after the sweep finds no folder, or leaves an object alone that goes as any other."""
    former = PlatformStore(house.root)
    await former.create(layout.segment("b", 0), b"claim")
    house.age(layout.segment("b", 0), 25)
    await house.housekeeping.sweep()
    with pytest.raises(NoSuchObject):
        await former.create(layout.segment("b", 1), b"data")
    assert house.batches() == set()
    former.close()
    await house.store.create(layout.piece("b", "lease", 0), b"late")
    await house.housekeeping.sweep()
    assert house.batches() == {"b"}
    house.age(layout.piece("b", "lease", 0), 25)
    await house.housekeeping.sweep()
    assert house.batches() == set()


async def test_sweeping_goes_on_after_a_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that does not answer costs one sweep; the next one removes what may go."""
    monkeypatch.setattr(housekeeping, "SWEEP_SECONDS", 0.001)
    await house.add("old", 25)
    await house.add("young", 1)
    answers = [Unavailable(0, "NoAnswer", "no answer")]
    removed = asyncio.Event()

    async def ask() -> set[str]:
        if "old" not in house.batches():
            removed.set()
        if answers:
            raise answers.pop()
        return set()

    sweeping, measuring = Housekeeping(house.store, DAY, house.led.__contains__, ask).parts()
    measuring.close()
    task = asyncio.create_task(sweeping)
    await asyncio.wait_for(removed.wait(), 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
