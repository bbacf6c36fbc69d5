"""The shelf of bundles: the last few stay, and the owner's disk is never filled with them."""

import asyncio
import os
from pathlib import Path

import pytest

from parkade_agent import shelf
from parkade_agent.journal import journal
from parkade_agent.shelf import Shelf
from support.agents import parked_agent
from support.power_cut import Disk, NoDisk
from support.vehicles import certificates

MIB = 1 << 20


def put(root: Path, name: str, age: int, size: int = 1) -> Path:
    """A bundle that was used last so many seconds ago, with its signature beside it."""
    bundle = root / name
    bundle.mkdir(parents=True)
    (bundle / "model.onnx").write_bytes(b"0" * size)
    bundle.with_suffix(".sig").touch()
    os.utime(bundle, (1e9 - age, 1e9 - age))
    return bundle


def names(root: Path) -> list[str]:
    """What is on the shelf."""
    return sorted(path.name for path in root.iterdir())


def test_the_bundles_used_last_stay(tmp_path: Path) -> None:
    """A new one is the fourth; one that was used again is not the oldest any more, however long ago it came."""
    for age in (5, 4, 3, 2, 1):
        put(tmp_path, f"b{age}", age)
    shelves = Shelf(tmp_path)
    shelves.use(tmp_path / "b5")
    assert shelves.begin(tmp_path / "new", 1) == tmp_path / "new.incoming"
    kept = ["b1", "b1.sig", "b2", "b2.sig", "b5", "b5.sig", "new.incoming"]
    # A signature whose bundle has gone goes with the next new one.
    assert set(names(tmp_path)) == {*kept, "b3.sig", "b4.sig"}
    shelves.begin(tmp_path / "new", 1)
    assert names(tmp_path) == kept


def test_what_a_kill_left_half_done_goes(tmp_path: Path) -> None:
    """Bundles that were coming or going, and what is none; the signature of the one that comes is needed."""
    for name in ("a.incoming", "b.leaving", "new.incoming"):
        (tmp_path / name / "folder").mkdir(parents=True)
    for name in ("new.sig", "gone.sig", "file"):
        (tmp_path / name).touch()
    incoming = Shelf(tmp_path).begin(tmp_path / "new", 1)
    assert names(tmp_path) == ["new.incoming", "new.sig"]
    assert list(incoming.iterdir()) == []


def test_no_half_of_a_bundle_stands_under_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while one is removed: it is gone already, and what is left of it goes the next time."""
    bundle = put(tmp_path, "b", 1)
    with monkeypatch.context() as killed:
        killed.setattr(shelf.shutil, "rmtree", lambda *_, **__: None)
        Shelf(tmp_path).remove(bundle)
    assert names(tmp_path) == ["b.leaving", "b.sig"]
    Shelf(tmp_path).make_room()
    assert names(tmp_path) == []


def test_the_oldest_make_room_for_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real small disk: as many go as it needs, and none when it fits beside them."""
    monkeypatch.setattr(shelf, "LEAST_FREE_BYTES", MIB)
    try:
        with Disk(tmp_path).mounted() as disk:
            for age in (3, 2, 1):
                put(disk / "bundles", f"b{age}", age, 3 * MIB)
            shelves = Shelf(disk / "bundles")
            free = shelves._free()
            shelves.begin(disk / "bundles" / "small", free - MIB)
            assert {"b1", "b2", "b3"} <= set(names(disk / "bundles"))
            shelves.begin(disk / "bundles" / "large", free + 2 * MIB)
            assert {"b1", "b2", "b3"} & set(names(disk / "bundles")) == {"b1", "b2"}
    except NoDisk as error:
        pytest.skip(str(error))


async def test_a_vehicle_whose_disk_fills_gives_its_bundles_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without being asked for work, which it could not take: its owner's files come first."""
    put(tmp_path / "state" / "bundles", "b", 1)
    for module in (journal, shelf):
        monkeypatch.setattr(module, "LEAST_FREE_BYTES", 1 << 60)
    stop = asyncio.Event()
    async with parked_agent(tmp_path, 1, certificates(tmp_path)) as (agent, _):
        running = asyncio.create_task(agent.run(stop))
        async with asyncio.timeout(10):
            while (tmp_path / "state" / "bundles" / "b").exists():  # noqa: ASYNC110 - a disk tells nobody
                await asyncio.sleep(0.02)
        stop.set()
        await running
