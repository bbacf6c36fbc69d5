"""The platform store: plans, shards, results and commit logs. Keys are created once and never changed.

obstore reads; creating on `file://` is our own, because obstore never syncs. End a process that used the
store with os._exit after a flush: obstore now and then aborts while the interpreter is torn down.
"""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from parkade_operator.shards import durable
from parkade_operator.shards.errors import (
    AlreadyExists,
    NoSuchObject,
    StoreBroken,
    StoreUnavailable,
    StoreUnfit,
)

CREATE_THREADS: Final = 8
CHUNK_BYTES: Final = 1024 * 1024

P = ParamSpec("P")
T = TypeVar("T")

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_PROBE: Final = "probe/create-only"
_PROBE_BYTES: Final = b"The first bytes of a key stay.\n"


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of the store's file system that are used, by whomever, and that we may still use."""

    used: int
    free: int


@contextmanager
def _errors_of(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NoSuchObject(f"{key} does not exist") from error
    except FileExistsError as error:
        raise AlreadyExists(f"{key} exists") from error
    except (OSError, BaseError) as error:
        raise StoreUnavailable(f"platform store: {key}: {error}") from error


class BlockingStore:
    """The store as worker processes use it; every call blocks.

    After the first StoreBroken nothing is created any more: the kernel may call the next sync good though bytes
    were lost, and a create that is repeated would find its key there.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._folder = durable.open_root(str(root))
        self._objects = LocalStore(str(root))
        self._made: set[tuple[str, ...]] = set()
        self._broken: str | None = None

    def create(self, key: str, parts: Iterable[bytes]) -> None:
        """Create the object, durably. Raises AlreadyExists, StoreBroken; when *parts* raises, nothing was created."""
        self.check()
        try:
            self._create(key, parts)
        except StoreBroken as error:
            self.refuse(str(error))
            raise
        finally:
            # Another thread's sync may have failed and taken the report of ours.
            self.check()

    def refuse(self, problem: str) -> None:
        """Create nothing any more, because of *problem*."""
        self._broken = self._broken or problem

    def check(self) -> None:
        """Raises StoreBroken once nothing is created any more."""
        if self._broken is not None:
            raise StoreBroken(self._broken)

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NoSuchObject."""
        return b"".join(self.chunks(key))

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object's bytes, piece by piece. Raises NoSuchObject."""
        with _errors_of(key):
            found = obstore.get(self._objects, key)
            for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    def get_range(self, key: str, offset: int, size: int) -> bytes:
        """*size* bytes from *offset* of the object. Raises NoSuchObject."""
        if not size:
            return b""
        with _errors_of(key):
            return bytes(obstore.get_range(self._objects, key, start=offset, length=size))

    def size(self, key: str) -> int:
        """How many bytes the object has. Raises NoSuchObject."""
        with _errors_of(key):
            return obstore.head(self._objects, key)["size"]

    def exists(self, key: str) -> bool:
        """Whether the object exists."""
        try:
            with _errors_of(key):
                obstore.head(self._objects, key)
        except NoSuchObject:
            return False
        return True

    def list(self, prefix: str) -> list[str]:
        """Keys under *prefix*, sorted. A hint: others may be appearing."""
        with _errors_of(prefix):
            found = obstore.list(self._objects, prefix)
            return sorted(entry["path"] for page in found for entry in page)

    def folders(self, prefix: str) -> Sequence[str]:
        """Names of the folders right under *prefix*, sorted. A hint: others may be appearing."""
        with _errors_of(prefix):
            found = obstore.list_with_delimiter(self._objects, prefix)["common_prefixes"]
            return sorted(path.rpartition("/")[2] for path in found)

    def newest(self, prefix: str) -> float:
        """When the newest object under *prefix* was created, in Unix time; 0 when there is none."""
        with _errors_of(prefix):
            found = obstore.list(self._objects, prefix)
            return max((entry["last_modified"].timestamp() for page in found for entry in page), default=0.0)

    def remove(self, prefix: str) -> None:
        """Remove everything under *prefix*, which nobody will ask for again; it may have to be done again.

        Raises StoreUnavailable when something stayed. Nothing is synced: what a power cut brings back is removed again.
        """
        gone = tuple(prefix.split("/"))
        self._made.difference_update([path for path in list(self._made) if path[: len(gone)] == gone])
        with _errors_of(prefix):
            shutil.rmtree(prefix, dir_fd=self._folder)

    def room(self) -> Room:
        """How full the file system of the store is. Raises StoreUnavailable."""
        with _errors_of("free space"):
            found = os.fstatvfs(self._folder)
        used, free = found.f_blocks - found.f_bfree, found.f_bavail
        return Room(used * found.f_frsize, free * found.f_frsize)

    def probe(self) -> None:
        """Raises StoreUnfit, with the reason, when commits could not rest on this store.

        A full one that passed when it had room passes: who must not start cannot make room either.
        """
        try:
            self._probe()
        except (StoreUnavailable, NoSuchObject) as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in _FULL and self.exists(_PROBE):
                return
            raise StoreUnfit(f"{self.root} cannot be the platform store: {error}") from error

    def _probe(self) -> None:
        for data in (_PROBE_BYTES, b"Later bytes must be refused.\n"):
            if self._created(_PROBE, data) and data is not _PROBE_BYTES:
                raise StoreUnfit(f"{self.root} cannot be the platform store: it created one key twice")
        if self.get(_PROBE) != _PROBE_BYTES:
            raise StoreUnfit(
                f"{self.root} cannot be the platform store: the first bytes of a key did not stay"
            )
        if _PROBE not in self.list("probe"):
            raise StoreUnfit(f"{self.root} cannot be the platform store: it does not list what was created")

    def close(self) -> None:
        """Release the open folder."""
        os.close(self._folder)

    def _created(self, key: str, data: bytes) -> bool:
        try:
            self.create(key, (data,))
        except AlreadyExists:
            return False
        return True

    def _create(self, key: str, parts: Iterable[bytes]) -> None:
        *path, name = key.split("/")
        with _errors_of(key):
            folder = self._open_folder(tuple(path))
            try:
                durable.create(folder, name, parts)
            finally:
                os.close(folder)

    def _open_folder(self, path: tuple[str, ...]) -> int:
        prefixes = [path[: depth + 1] for depth in range(len(path))]
        known = sum(prefix in self._made for prefix in prefixes)
        folder = durable.open_folder(self._folder, path, make_from=known)
        self._made.update(prefixes)
        return folder


class PlatformStore:
    """The store as the event loop uses it; the same objects, never blocking.

    *broken* is set at the first StoreBroken; the process must end then, because only a new one reads what lasts.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blocking = BlockingStore(root)
        self.broken = asyncio.Event()
        self._threads = ThreadPoolExecutor(CREATE_THREADS, "store")

    @classmethod
    def from_url(cls, url: str) -> "PlatformStore":
        """The store at `file:///folder`. Raises StoreUnfit for other schemes."""
        parts = urlsplit(url)
        if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
            raise StoreUnfit(f"{url} cannot be the platform store; use file:///folder")
        return cls(Path(unquote(parts.path)))

    async def probe(self) -> None:
        """Raises StoreUnfit, with the reason, when commits could not rest on this store."""
        await self._run(self.blocking.probe)

    async def create(self, key: str, data: bytes) -> None:
        """Create the object, durably. Raises AlreadyExists, StoreBroken."""
        try:
            await self._run(self.blocking.create, key, (data,))
        except StoreBroken as error:
            self.refuse(error)
            raise

    def refuse(self, problem: StoreBroken) -> None:
        """Create nothing any more: a sync failed, here or in a worker process."""
        self.blocking.refuse(str(problem))
        self.broken.set()

    async def get(self, key: str) -> bytes:
        """The object's bytes. Raises NoSuchObject."""
        return await self._run(self.blocking.get, key)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes, CHUNK_BYTES at a time; an empty object is one empty chunk. Raises NoSuchObject.

        Each chunk is read when it is asked for: a slow reader costs one chunk of memory.
        """
        size = await self._run(self.blocking.size, key)
        for start in range(0, max(1, size), CHUNK_BYTES):
            yield await self.get_range(key, start, min(CHUNK_BYTES, size - start))

    async def get_range(self, key: str, offset: int, size: int) -> bytes:
        """*size* bytes from *offset* of the object. Raises NoSuchObject."""
        return await self._run(self.blocking.get_range, key, offset, size)

    async def list(self, prefix: str) -> Sequence[str]:
        """Keys under *prefix*, sorted. A hint: others may be appearing."""
        return await self._run(self.blocking.list, prefix)

    async def folders(self, prefix: str) -> Sequence[str]:
        """Names of the folders right under *prefix*, sorted. A hint: others may be appearing."""
        return await self._run(self.blocking.folders, prefix)

    async def newest(self, prefix: str) -> float:
        """When the newest object under *prefix* was created, in Unix time; 0 when there is none."""
        return await self._run(self.blocking.newest, prefix)

    async def remove(self, prefix: str) -> None:
        """Remove everything under *prefix*, which nobody will ask for again. Raises StoreUnavailable."""
        await self._run(self.blocking.remove, prefix)

    async def room(self) -> Room:
        """How full the file system of the store is. Raises StoreUnavailable."""
        return await self._run(self.blocking.room)

    def close(self) -> None:
        """Wait for what is being written and release the store."""
        self._threads.shutdown()
        self.blocking.close()

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))
