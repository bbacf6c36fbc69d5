"""Who the vehicle is: on its disk whatever happens, enrolled for with one key, renewed in time."""

import asyncio
import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from parkade_agent import durable
from parkade_agent.door import Door, open_channel
from parkade_agent.errors import IdentityDamaged, NoIdentity
from parkade_agent.identity import keeper as identity_keeper
from parkade_agent.identity.credentials import ServiceAccount, TokenFile
from parkade_agent.identity.files import IdentityFiles
from parkade_agent.identity.keeper import IdentityKeeper
from parkade_agent.identity.keys import KeyPair, new_key, pair_of, request_for
from parkade_agent.settings import Settings
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_core.enrolment_token import EnrolmentToken, write_token
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import key_digest, new_authority, requested_key
from parkade_operator.door.tls import Identity
from support.doors import Context

CA = new_authority(dt.datetime.now(dt.UTC))
AUTHORITY = Authority(CA, ["127.0.0.1"], vehicle_seconds=9)
LASTING = Authority(CA, ["127.0.0.1"], vehicle_seconds=600)


def pair(vehicle: str = "ada") -> KeyPair:
    """A fresh key with its certificate."""
    key = new_key()
    signed = AUTHORITY.sign(requested_key(request_for(key)), Identity(vehicle))
    found = pair_of(key, signed)
    assert found is not None
    return found


def files_in(folder: Path) -> IdentityFiles:
    """The identity of the vehicle of *folder*."""
    return IdentityFiles(folder / "certificate.pem", folder / "key.pem", folder / "record.json")


class PowerCut(Exception):
    """The vehicle has lost its power."""


def power_cuts_after(monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    """The power goes before the rename of that number."""
    left = iter(range(renames))
    rename = durable.rename

    def rename_or_die(new: Path, old: Path) -> None:
        if next(left, None) is None:
            raise PowerCut
        rename(new, old)

    monkeypatch.setattr(durable, "rename", rename_or_die)


@pytest.mark.parametrize(("renames", "survivor"), [(0, "old"), (1, "old"), (2, "new"), (3, "new")])
def test_a_power_cut_leaves_a_key_with_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int, survivor: str
) -> None:
    """Whenever it comes, the vehicle finds the old pair or the new one, and both files are its own alone."""
    pairs = {"old": pair(), "new": pair()}
    files = files_in(tmp_path)
    files.save(pairs["old"])
    with monkeypatch.context() as patch:
        power_cuts_after(patch, renames)
        try:
            files.save(pairs["new"])
        except PowerCut:
            assert renames < 3
    assert files_in(tmp_path).load() == pairs[survivor]
    assert files_in(tmp_path).load() == pairs[survivor]
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_a_pair_that_is_none_is_said_so(tmp_path: Path) -> None:
    """A certificate without its key, and files that are no PEM, are damage; nothing at all is a new vehicle."""
    files = files_in(tmp_path)
    assert files.load() is None
    files.save(pair())
    files.key.write_bytes(new_key())
    with pytest.raises(IdentityDamaged, match="no key fits"):
        files.load()
    files.certificate.write_bytes(b"hello")
    with pytest.raises(IdentityDamaged, match="cannot be read"):
        files.load()


def test_a_key_is_asked_with_until_it_has_a_certificate(tmp_path: Path) -> None:
    """Also after a restart: a token is good for one key alone. The next certificate is for another one."""
    key = files_in(tmp_path).pending_key()
    assert files_in(tmp_path).pending_key() == key
    signed = pair_of(key, AUTHORITY.sign(requested_key(request_for(key)), Identity("ada")))
    assert signed is not None
    files_in(tmp_path).save(signed)
    assert files_in(tmp_path).pending_key() != key


@pytest.mark.parametrize("left", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nMIGH"])
def test_a_key_that_cannot_be_read_is_replaced(tmp_path: Path, left: bytes) -> None:
    """A damaged one is of no use for ever; the one in its place is kept like any other."""
    (tmp_path / "key.pem.new").write_bytes(left)
    key = files_in(tmp_path).pending_key()
    assert request_for(key)
    assert files_in(tmp_path).pending_key() == key


@dataclass
class Gate(rpc.EnrolmentServicer, rpc.FleetServicer):  # type: ignore[misc] # two calls are all that is served
    """Enrols anybody, each secret with one key alone, renews anybody, and loses some of its answers."""

    lose: int = 0
    authority: Authority = AUTHORITY
    keys: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)
    renewals: int = 0

    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.EnrolReply:  # noqa: N802
        """The certificate, unless it gets lost."""
        key = requested_key(request.csr)
        self.keys.append(key_digest(key))
        self.shown.append(request.token or request.service_account_token)
        if len(self.keys) <= self.lose:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
        if self.used.setdefault(self.shown[-1], self.keys[-1]) != self.keys[-1]:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the token was used already")
        return pb.EnrolReply(certificate=self.authority.sign(key, Identity("ada")))

    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.EnrolReply:  # noqa: N802, ARG002
        """Another certificate."""
        self.renewals += 1
        return pb.EnrolReply(certificate=AUTHORITY.sign(requested_key(request.csr), Identity("ada")))


@asynccontextmanager
async def opened(gate: Gate) -> AsyncIterator[str]:
    """Serves *gate* for both; its address is yielded."""
    server = grpc.aio.server()
    rpc.add_EnrolmentServicer_to_server(gate, server)
    rpc.add_FleetServicer_to_server(gate, server)
    port = server.add_secure_port("127.0.0.1:0", AUTHORITY.port_credentials())
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)


def settings_of(folder: Path, **more: object) -> Settings:
    """An agent that has to enrol."""
    return Settings.model_validate({"signals_file": folder / "signals", "state_dir": folder} | more)


async def test_a_vehicle_enrols_with_one_key_and_renews(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost answer is asked for again with the same key; the certificate is renewed in time; a new token counts."""
    monkeypatch.setattr(identity_keeper, "LOOK_SECONDS", 0.5)
    gate, changes = Gate(lose=1), asyncio.Queue[bool]()
    token_file = tmp_path / "token"
    async with opened(gate) as address, asyncio.timeout(30):
        first = EnrolmentToken(address, address, AUTHORITY.certificate.decode(), "ada", "one")
        keeper = IdentityKeeper(settings_of(tmp_path), TokenFile(token_file))
        finding = asyncio.create_task(keeper.first())
        token_file.write_text(write_token(first)[:-20])
        await asyncio.sleep(0)
        token_file.write_text(write_token(first))
        keys = await finding
        assert keys.address == address
        assert gate.keys[0] == gate.keys[1]
        door = Door(open_channel(keys))
        keeping = asyncio.create_task(keeper.keep(door, lambda: changes.put_nowait(True)))
        await changes.get()
        assert (gate.renewals, gate.shown) == (1, ["one", "one"])
        token_file.write_text(write_token(EnrolmentToken(address, address, first.ca, "ada", "two")))
        while "two" not in gate.shown:
            await changes.get()
        keeping.cancel()
        await door.close()
    assert gate.keys[-1] != gate.keys[0]


@pytest.mark.parametrize("renames", range(5))
async def test_a_power_cut_within_the_first_enrolment_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Whenever it comes, the vehicle finds its certificate and its door, and a used token is not shown for ever."""
    gate, token_file = Gate(authority=LASTING), tmp_path / "token"
    async with opened(gate) as address, asyncio.timeout(30):
        token = EnrolmentToken(address, address, AUTHORITY.certificate.decode(), "ada", "one")
        token_file.write_text(write_token(token))
        keeper = IdentityKeeper(settings_of(tmp_path), TokenFile(token_file))
        with monkeypatch.context() as patch:
            power_cuts_after(patch, renames)
            with pytest.raises(PowerCut):
                await keeper.first()
        keeper = IdentityKeeper(settings_of(tmp_path), TokenFile(token_file))
        keys = await keeper.first()
        assert (keys.address, keys.ca) == (address, AUTHORITY.certificate)
        assert not await keeper._enrol_anew()
        shown = len(gate.shown)
        assert not await keeper._enrol_anew()
        assert len(gate.shown) == shown


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe\x00p", "no UTF-8 text"),
        ("parkade1.x".encode("utf-16"), "no UTF-8 text"),
        (b"hello", "begins with"),
        (b"parkade1.hello", "copy it whole"),
    ],
)
def test_a_file_without_a_token_is_said_so_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, words: str
) -> None:
    """Whatever bytes somebody puts there, the vehicle goes on, and its log says what is wrong with them."""
    token_file = TokenFile(tmp_path / "token")
    for said in (1, 1, 2):
        (tmp_path / "token").write_bytes(data + b"\n" * said)
        assert token_file.offer({}, needed=True) is None
    assert capsys.readouterr().out.count(words) == 2


async def test_a_simulated_vehicle_waits_for_the_door_and_enrols_when_it_must(tmp_path: Path) -> None:
    """Without the CA there is nothing to trust; with a valid certificate there is nothing to ask."""
    token, ca = tmp_path / "sa", tmp_path / "ca.crt"
    credential = ServiceAccount(token, "gateway:8444", ca)
    token.write_text("pod's\n")
    assert credential.offer({}, needed=True) is None
    ca.write_text("")
    assert credential.offer({}, needed=True) is None
    ca.write_text("CA")
    offer = credential.offer({"token": "earlier"}, needed=True)
    assert offer is not None
    assert (offer.address, offer.service_account_token) == ("gateway:8444", "pod's")
    assert credential.offer({}, needed=False) is None


async def test_a_given_certificate_is_used_as_it_is(tmp_path: Path) -> None:
    """Whoever has a certificate needs no token, and who has neither is told what is missing."""
    files = files_in(tmp_path)
    files.save(pair())
    given = {"cert_file": files.certificate, "key_file": files.key, "door_address": "door:1"}
    with pytest.raises(NoIdentity, match="PARKADE_DOOR_CA_FILE"):
        await IdentityKeeper(settings_of(tmp_path, **given), None).first()
    (tmp_path / "ca").write_bytes(AUTHORITY.certificate)
    keys = await IdentityKeeper(settings_of(tmp_path, **given, door_ca_file=tmp_path / "ca"), None).first()
    assert (keys.address, keys.certificate) == ("door:1", files.certificate.read_bytes())
    shutil.rmtree(tmp_path)
    with pytest.raises(NoIdentity, match="PARKADE_ENROLMENT_TOKEN_FILE"):
        await IdentityKeeper(settings_of(tmp_path), None).first()


def test_an_agent_without_identity_says_what_it_needs(tmp_path: Path) -> None:
    """It ends with the exit code of wrong settings and one sentence."""
    environment = os.environ | {"PARKADE_SIGNALS_FILE": "/dev/null", "PARKADE_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "parkade_agent"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "parkade-agent: there is no certificate at" in done.stderr
