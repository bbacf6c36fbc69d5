"""The platform store on files: create-only, durable, and honest about what it cannot do."""

import asyncio
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from parkade_operator.shards.errors import AlreadyExists, NoSuchObject, StoreUnfit
from parkade_operator.shards.store import CHUNK_BYTES, BlockingStore, PlatformStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlockingStore]:
    """An empty store."""
    store = BlockingStore(tmp_path / "store")
    yield store
    store.close()


def test_a_key_is_created_once(store: BlockingStore) -> None:
    """The first bytes stay and the second create is told so."""
    store.create("a/b/c", (b"one", b" two"))
    with pytest.raises(AlreadyExists):
        store.create("a/b/c", (b"three",))
    assert store.get("a/b/c") == b"one two"
    assert store.get_range("a/b/c", 4, 3) == b"two"
    store.create("a/b/empty", ())
    assert store.get("a/b/empty") == b""


async def test_an_object_is_read_in_chunks(tmp_path: Path) -> None:
    """A bundle of any size costs one chunk of memory for each reader; an empty file is one empty chunk."""
    store = PlatformStore(tmp_path / "store")
    data = os.urandom(2 * CHUNK_BYTES + 5)
    await store.create("model", data)
    await store.create("empty", b"")
    chunks = [chunk async for chunk in store.stream("model")]
    assert [len(chunk) for chunk in chunks] == [CHUNK_BYTES, CHUNK_BYTES, 5]
    assert b"".join(chunks) == data
    assert [chunk async for chunk in store.stream("empty")] == [b""]
    with pytest.raises(NoSuchObject):
        await anext(store.stream("nothing"))
    store.close()


def test_of_many_racers_one_wins(store: BlockingStore) -> None:
    """Twenty threads create each of twenty keys; each key has one winner, whose bytes it holds."""
    won: list[tuple[int, int]] = []

    def race(me: int) -> None:
        for key in range(20):
            try:
                store.create(f"race/{key}", (str(me).encode(),))
            except AlreadyExists:
                continue
            won.append((key, me))

    threads = [threading.Thread(target=race, args=(me,)) for me in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key for key, _ in won) == list(range(20))
    assert all(store.get(f"race/{key}") == str(me).encode() for key, me in won)


def test_nothing_appears_when_the_bytes_fail(store: BlockingStore) -> None:
    """When the source of the bytes raises, neither the key nor any rubbish is left."""

    def parts() -> Iterable[bytes]:
        yield b"half"
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        store.create("x/y", parts())
    assert store.list("x") == []
    assert os.listdir(store.root / "x") == []  # noqa: PTH208 - hidden files too


def test_listing_is_sorted(store: BlockingStore) -> None:
    """Keys under a prefix come in order; no prefix, no keys."""
    for number in (3, 1, 2):
        store.create(f"log/{number:03d}", (b"",))
    assert store.list("log") == ["log/001", "log/002", "log/003"]
    assert store.list("nothing") == []
    with pytest.raises(NoSuchObject):
        store.get("log/004")
    with pytest.raises(NoSuchObject):
        store.get_range("log/004", 0, 1)


async def test_the_probe_accepts_a_folder_again_and_again(tmp_path: Path) -> None:
    """A good folder passes at every start."""
    for _ in range(2):
        store = PlatformStore.from_url(f"file://{tmp_path}/s%20p")
        await store.probe()
        await store.create("k", b"v") if not store.blocking.exists("k") else None
        assert await store.get("k") == b"v"
        store.close()
    assert (tmp_path / "s p" / "k").exists()


class Overwriting(BlockingStore):
    """A store like those that ignore If-None-Match."""

    @override
    def create(self, key: str, parts: Iterable[bytes]) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(parts))


def test_the_probe_refuses_a_store_that_overwrites(tmp_path: Path) -> None:
    """A store without create-only semantics is refused at start, with the reason."""
    store = Overwriting(tmp_path)
    with pytest.raises(StoreUnfit, match="created one key twice"):
        store.probe()
    store.close()


def test_the_probe_refuses_a_folder_without_unnamed_files(tmp_path: Path) -> None:
    """A file system that lacks O_TMPFILE is refused at start, with the reason."""
    store = BlockingStore(tmp_path)
    os.close(store._folder)
    store._folder = os.open("/proc/self", os.O_RDONLY)
    with pytest.raises(StoreUnfit, match="cannot be the platform store"):
        store.probe()
    store.close()


@pytest.mark.parametrize("url", ["s3://bucket/x", "file:relative", "file://host/x", "/plain"])
def test_other_stores_are_refused_clearly(url: str) -> None:
    """Only file:///folder is known, and the message says so."""
    with pytest.raises(StoreUnfit, match="use file:///folder"):
        PlatformStore.from_url(url)


async def test_creates_do_not_block_the_loop(tmp_path: Path) -> None:
    """Creates run side by side in threads."""
    store = PlatformStore(tmp_path)
    await asyncio.gather(*(store.create(f"many/{n}", b"x") for n in range(50)))
    assert len(await store.list("many")) == 50
    store.close()
