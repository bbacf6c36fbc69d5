"""The vehicle's bundles: fetched by digest, checked file by file, kept by digest."""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from parkade_agent.door import Door
from parkade_agent.errors import BundleRefused, DoorRefused
from parkade_agent.publishers import Publishers
from parkade_agent.shelf import Shelf
from parkade_api.bundle import (
    MANIFEST_NAME,
    MOST_SIGNATURE_BYTES,
    SIGNATURE_NAME,
    BundleFile,
    BundleManifest,
    parse_manifest,
)
from parkade_api.proto.fleet.v1 import fleet_pb2

MANIFEST_BYTES = 1 << 20


class Bundles:
    """The folder of bundles; a bundle that stands there under its digest was checked whole.

    With *publishers*, none is handed out that they have not signed; with `must_be_signed` and none of them, none at
    all.
    """

    def __init__(self, root: Path, door: Door, publishers: Publishers | None = None) -> None:
        self._root = root.resolve()  # the slot's programs stand in another folder
        self._shelf = Shelf(self._root)
        self._door = door
        self._publishers = publishers
        self.must_be_signed = False

    async def get(self, batch_uid: str, digest: str) -> Path:
        """The folder of the bundle `sha256:<hex>`, fetched when missing. Raises BundleRefused, OSError."""
        if self.must_be_signed and self._publishers is None:
            raise BundleRefused("the pool asks for signed bundles, and this vehicle knows no publisher")
        folder = self._folder(digest)
        signature = await self._signature(batch_uid, folder)
        if not await asyncio.to_thread(_has_manifest, folder):
            await self.drop(digest)
            await self._fetch(batch_uid, folder)
        if self._publishers is not None and signature is not None:
            await self._verify(self._publishers, folder, signature)
        await asyncio.to_thread(self._shelf.use, folder)
        return folder

    async def _verify(self, publishers: Publishers, folder: Path, signature: Path) -> None:
        try:
            await publishers.verify(folder, signature)
        except BundleRefused:
            # Its files may be damaged here: they are fetched anew for whoever asks again.
            await asyncio.to_thread(self._shelf.remove, folder)
            raise

    async def drop(self, digest: str) -> None:
        """Removes a bundle whose files are no more what they were, so that it is fetched again."""
        await asyncio.to_thread(self._shelf.remove, self._folder(digest))

    async def make_room(self) -> None:
        """Gives up bundles for the vehicle's own needs of its disk, if it can. No slot may run."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._shelf.make_room)

    def _folder(self, digest: str) -> Path:
        algorithm, _, hexadecimal = digest.partition(":")
        if (
            algorithm != "sha256"
            or len(hexadecimal) != hashlib.sha256().digest_size * 2
            or not hexadecimal.isalnum()
        ):
            raise BundleRefused(f"{digest!r} is no digest of the form sha256:<hex>")
        return self._root / hexadecimal

    async def _signature(self, batch_uid: str, folder: Path) -> Path | None:
        """The signature that came with the batch; None when there is nothing to verify.

        Publishers vouch for bytes: what was verified once is signed, whichever batch brings it.
        """
        if self._publishers is None or self._publishers.have_signed(folder):
            return None
        signature = await self._file(batch_uid, SIGNATURE_NAME, MOST_SIGNATURE_BYTES)
        if not signature:
            raise BundleRefused(
                "the bundle is unsigned; this vehicle runs only bundles of publishers that it knows"
            )
        path = folder.with_suffix(".sig")
        path.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(path.write_bytes, signature)
        return path

    async def _fetch(self, batch_uid: str, folder: Path) -> None:
        raw = await self._file(batch_uid, MANIFEST_NAME, MANIFEST_BYTES)
        if hashlib.sha256(raw).hexdigest() != folder.name:
            raise BundleRefused(f"{MANIFEST_NAME} has another digest than sha256:{folder.name}")
        files = _manifest(raw).files
        size = len(raw) + sum(entry.size for entry in files)
        incoming = await asyncio.to_thread(self._shelf.begin, folder, size)
        (incoming / MANIFEST_NAME).write_bytes(raw)
        for entry in files:
            await self._keep(batch_uid, entry, incoming)
        incoming.rename(folder)

    async def _keep(self, batch_uid: str, entry: BundleFile, folder: Path) -> None:
        path = folder / entry.name
        with _refusing(entry.name):
            digest = await self._door.download(_request(batch_uid, entry.name), entry.size, path)
        size = path.stat().st_size
        if size != entry.size or digest != entry.sha256:
            raise BundleRefused(
                f"{entry.name} is not the file that {MANIFEST_NAME} names: {size} bytes, {digest}"
            )

    async def _file(self, batch_uid: str, name: str, most_bytes: int) -> bytes:
        with _refusing(name):
            return await self._door.fetch(_request(batch_uid, name), most_bytes)


@contextlib.contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What the door refuses is a bundle that cannot be had."""
    try:
        yield
    except DoorRefused as error:
        raise BundleRefused(f"{name}: {error}") from error


def _request(batch_uid: str, name: str) -> fleet_pb2.FetchRequest:
    return fleet_pb2.FetchRequest(bundle_file=fleet_pb2.BundleFileRef(batch_uid=batch_uid, name=name))


def _has_manifest(folder: Path) -> bool:
    """Whether the manifest stands there as it was fetched; whoever loads the bundle checks the files by it."""
    try:
        raw = (folder / MANIFEST_NAME).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(raw).hexdigest() == folder.name


def _manifest(raw: bytes) -> BundleManifest:
    try:
        return parse_manifest(raw)
    except ValueError as error:
        raise BundleRefused(str(error)) from None
