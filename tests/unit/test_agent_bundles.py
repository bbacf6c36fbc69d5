"""A vehicle that knows publishers runs their bundles and nobody else's, and decides so before anything of one runs."""

import asyncio
import hashlib
import shutil
import signal
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_agent import shelf
from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
from parkade_agent.errors import BundleRefused
from parkade_agent.guard import Holder
from parkade_agent.publishers import Publishers
from parkade_agent.runtime.brake import SlotBrake
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Reason
from parkade_models.bundle import Bundle
from parkade_models.signing import sign_bundle
from support.programs import sandbox
from support.publishers import Publisher, make_publisher
from support.stores import write_bundle
from support.vehicles import Door as Gateway
from support.vehicles import certificates, open_door, running_agent, shards_of


class FolderDoor(Door):
    """Hands out the files of a folder, and of an unsigned bundle no signature."""

    def __init__(self, folder: Path) -> None:
        super().__init__(grpc.aio.insecure_channel("127.0.0.1:1"))
        self.folder = folder
        self.fetched: list[str] = []

    @override
    async def fetch(self, request: pb.FetchRequest, most_bytes: int) -> bytes:
        name = request.bundle_file.name
        self.fetched.append(name)
        path = self.folder / name
        return path.read_bytes() if path.exists() else b""

    @override
    async def download(self, request: pb.FetchRequest, most_bytes: int, path: Path) -> str:
        data = await self.fetch(request, most_bytes)
        await asyncio.to_thread(path.write_bytes, data)
        return hashlib.sha256(data).hexdigest()


class Garage:
    """A vehicle with a folder of publishers' keys, and a bundle that waits at its door."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "keys"
        self.keys.mkdir()
        self.digest = write_bundle(folder / "bundle")
        self.door = FolderDoor(folder / "bundle")
        self.brake = SlotBrake()
        self.bundles = Bundles(folder / "kept", self.door, Publishers(self.keys, self.brake, sandbox()))

    def know(self, publisher: Publisher) -> None:
        """Puts a publisher's key where the agent looks."""
        shutil.copy(publisher.public, self.keys)

    async def get(self) -> Path:
        """The bundle, as a slot asks for it."""
        async with asyncio.timeout(60):
            return await self.bundles.get("batch", self.digest)

    async def refusal(self) -> str:
        """Why the bundle is refused."""
        with pytest.raises(BundleRefused) as refused:
            await self.get()
        return str(refused.value)


@pytest.fixture
async def garage(tmp_path: Path) -> Garage:
    """A vehicle that knows nobody yet."""
    return Garage(tmp_path)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """Somebody who signs."""
    return make_publisher(tmp_path / "publisher", "acme")


async def test_an_unsigned_bundle_is_refused_before_it_is_fetched(garage: Garage) -> None:
    """Nothing but the signature that is not there was asked for."""
    assert await garage.refusal() == (
        "the bundle is unsigned; this vehicle runs only bundles of publishers that it knows"
    )
    assert garage.door.fetched == ["bundle.sig"]


async def test_only_a_known_publishers_bundle_runs(garage: Garage, publisher: Publisher) -> None:
    """Keys may come and go while the agent runs; what was verified once is not verified again with the same keys."""
    sign_bundle(garage.door.folder, publisher.private)
    assert await garage.refusal() == "no publisher's key is known here"
    garage.know(publisher)
    folder = await garage.get()
    assert (folder / "bundle.json").exists()
    garage.door.fetched.clear()
    assert await garage.get() == folder
    assert garage.door.fetched == []
    (garage.keys / publisher.public.name).unlink()
    assert await garage.refusal() == "no publisher's key is known here"


async def test_a_bundle_that_was_changed_on_the_vehicle_is_refused(
    garage: Garage, publisher: Publisher
) -> None:
    """Every byte is verified, also of a bundle that was fetched long ago; then it is fetched anew."""
    garage.know(publisher)
    signature = sign_bundle(garage.door.folder, publisher.private)
    await garage.get()
    kept = next((garage.door.folder.parent / "kept").glob("*/tokenizer.json"))
    kept.write_text("{ }")
    garage.know(make_publisher(signature.parents[1] / "other", "other"))
    assert await garage.refusal() == (
        "tokenizer.json is not what was signed; bundle.sig was not made with the key other.pem"
    )
    assert not kept.exists()
    assert (await garage.get() / "tokenizer.json").read_text() != "{ }"


async def test_a_pool_can_ask_for_signatures_that_nobody_here_can_check(garage: Garage) -> None:
    """A vehicle that knows no publisher then runs nothing at all, and says why."""
    garage.bundles = Bundles(garage.door.folder.parent / "kept", garage.door)
    await garage.get()
    garage.bundles.must_be_signed = True
    assert await garage.refusal() == "the pool asks for signed bundles, and this vehicle knows no publisher"


async def test_a_key_that_cannot_be_read_is_named(garage: Garage, publisher: Publisher) -> None:
    """A broken folder of keys never lets an unsigned bundle pass."""
    sign_bundle(garage.door.folder, publisher.private)
    (garage.keys / "gone.pem").symlink_to("nowhere")
    assert "gone.pem cannot be read: No such file" in await garage.refusal()


async def test_a_bundle_that_does_not_fit_is_not_begun(
    garage: Garage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its manifest says how large it is; the vehicle's disk is to blame, not the bundle."""
    garage.bundles = Bundles(garage.door.folder.parent / "kept", garage.door)
    monkeypatch.setattr(shelf, "LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(shelf.NoRoom, match="the vehicle's disk has 0 MiB for it") as refused:
        await garage.get()
    assert refused.value.reason is Reason.NO_SPACE
    assert garage.door.fetched == ["bundle.json"]


async def test_the_guard_stops_and_ends_a_verification(garage: Garage, publisher: Publisher) -> None:
    """It runs under the slot's brake: held it makes no progress, killed it vouches for nothing."""
    garage.know(publisher)
    sign_bundle(garage.door.folder, publisher.private)
    garage.brake.hold(Holder.GUARD)
    getting = asyncio.create_task(garage.refusal())
    while garage.brake.is_empty:  # noqa: ASYNC110 - another task fills it
        await asyncio.sleep(0.01)
    assert not getting.done()
    garage.brake.kill()
    assert await getting == f"the signature could not be verified (exit code {128 + signal.SIGKILL})"
    assert garage.brake.is_empty


async def test_a_slot_that_ends_takes_its_verification_along(garage: Garage, publisher: Publisher) -> None:
    """A cancelled slot leaves no process behind."""
    garage.know(publisher)
    sign_bundle(garage.door.folder, publisher.private)
    garage.brake.hold(Holder.GOVERNOR)
    getting = asyncio.create_task(garage.get())
    while garage.brake.is_empty:  # noqa: ASYNC110 - another task fills it
        await asyncio.sleep(0.01)
    getting.cancel()
    await asyncio.gather(getting, return_exceptions=True)
    assert getting.cancelled()
    assert garage.brake.is_empty


async def test_a_vehicle_starts_nothing_of_an_unsigned_bundle(
    tmp_path: Path, int8_bundle: Bundle, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent itself: the slot ends with the reason before a sidecar ran; once signed, the same bundle works."""
    folder = Path(shutil.copytree(int8_bundle.folder, tmp_path / "bundle"))
    monkeypatch.setenv("PARKADE_PUBLISHERS", str(publisher.public.parent))
    certs = certificates(tmp_path / "pki")
    gateway = Gateway(folder, shards_of(["parked"], 1))
    async with open_door(gateway, certs) as port, running_agent(tmp_path, port, certs):
        await gateway.until(lambda d: d.policy_followed())
        gateway.assign("unsigned")
        ended = await gateway.until(lambda d: d.ended("unsigned"))
        assert (ended.reason, ended.message.split(";")[0]) == ("BundleRefused", "the bundle is unsigned")
        assert {state.started_unix_milliseconds for state in ended.containers} == {0}
        sign_bundle(folder, publisher.private)
        gateway.assign("signed")
        await gateway.until(lambda d: d.results)
