"""A vehicle that was away for longer than its certificate lives comes back by its key; a revoked one never."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from parkade_agent.door import Door, open_channel
from parkade_agent.identity.files import IdentityFiles
from parkade_agent.identity.keeper import IdentityKeeper
from parkade_agent.identity.keys import KeyPair, new_key, pair_of, request_for
from parkade_agent.settings import Settings
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_operator.door.authority import RENEWAL_GRACE_SECONDS, Authority
from parkade_operator.door.certificates import Lifetime, Pair, Signer, new_authority, requested_key
from parkade_operator.door.enrolment import EnrolmentRules, EnrolmentService
from parkade_operator.door.returning import NotReturning, returning
from parkade_operator.door.revocation import Revocations
from parkade_operator.door.service_accounts import PodReviewer
from parkade_operator.door.tickets import Tickets
from parkade_operator.door.tls import Identity, identity_of
from support.apiserver import ApiServer, serving
from support.objects import Object

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
CA = new_authority(NOW)
ADA = Identity("ada", {"parkade.dev/region": "eu"}, (NOW - 40 * DAY).timestamp())
KEY = new_key()


def expired(days: float, authority: Pair = CA, key: bytes = KEY) -> KeyPair:
    """A certificate of ada that ended so many days ago."""
    end = NOW - days * DAY
    public = requested_key(request_for(key))
    signed = Signer(authority).vehicle(public, ADA, Lifetime(end - DAY, end))
    pair = pair_of(key, signed)
    assert pair is not None
    return pair


def revocations(**moments: dt.datetime) -> Object:
    """The ConfigMap of revocations."""
    return {"data": {vehicle: moment.isoformat() for vehicle, moment in moments.items()}}


@asynccontextmanager
async def enrolment(folder: Path, *answers: Object) -> AsyncIterator[tuple[str, ApiServer]]:
    """A gateway's enrolment port, whose API server gives these answers; its address."""
    authority = Authority(CA, ["127.0.0.1"])
    async with serving(folder) as (api, client):
        api.answer(*answers)
        rules = EnrolmentRules("", {}, RENEWAL_GRACE_SECONDS)
        revoked = Revocations(client, "ns", lambda: None)
        reviewer, tickets = PodReviewer(client, ""), Tickets(client, "ns")
        server = grpc.aio.server()
        rpc.add_EnrolmentServicer_to_server(
            EnrolmentService(authority, tickets, reviewer, revoked, rules), server
        )
        port = server.add_secure_port("127.0.0.1:0", authority.port_credentials())
        await server.start()
        try:
            yield f"127.0.0.1:{port}", api
        finally:
            await server.stop(grace=None)


async def asked(address: str, request: pb.EnrolRequest) -> pb.EnrolReply:
    """What the port answers."""
    credentials = grpc.ssl_channel_credentials(CA.certificate)
    async with grpc.aio.secure_channel(address, credentials) as channel, asyncio.timeout(20):
        stub: rpc.EnrolmentAsyncStub = rpc.EnrolmentStub(channel)
        return await stub.Enrol(request)


async def test_a_vehicle_renews_by_itself_after_a_long_absence(tmp_path: Path) -> None:
    """Nobody has to come by: it shows its old certificate, signs with its key, and stays the same enrolment."""
    files = IdentityFiles(tmp_path / "certificate.pem", tmp_path / "key.pem", tmp_path / "record.json")
    files.save(expired(29))
    async with enrolment(tmp_path, revocations()) as (address, _), asyncio.timeout(20):
        (tmp_path / "ca.pem").write_bytes(CA.certificate)
        settings = Settings(
            signals_file=tmp_path / "signals",
            state_dir=tmp_path,
            cert_file=files.certificate,
            key_file=files.key,
            door_address="127.0.0.1:1",
            door_ca_file=tmp_path / "ca.pem",
            enrolment_address=address,
        )
        keeper, changed = IdentityKeeper(settings, None), asyncio.Event()
        door = Door(open_channel(await keeper.first()))
        keeping = asyncio.create_task(keeper.keep(door, changed.set))
        await changed.wait()
        keeping.cancel()
        await door.close()
    renewed = files.load()
    assert renewed is not None
    assert renewed.key == KEY
    identity = identity_of(renewed.certificate)
    assert (identity.vehicle, identity.claims, identity.enrolled_at) == ("ada", ADA.claims, ADA.enrolled_at)
    assert identity.expires_at > NOW.timestamp()


@pytest.mark.parametrize(
    ("days", "revoked", "words"),
    [
        (31, {}, "expired 31 days ago, and 30 days are allowed"),
        (2, {"ada": NOW}, "ada was revoked"),
        (2, {"ada": NOW - DAY}, "ada was revoked"),
        (31, {"ada": NOW - 35 * DAY}, "ada was revoked"),
    ],
)
async def test_who_is_let_in_no_more_is_told_why(
    tmp_path: Path, days: float, revoked: dict[str, dt.datetime], words: str
) -> None:
    """Away for longer than the grace, or revoked, whether before or after the certificate's end."""
    async with enrolment(tmp_path, revocations(**revoked)) as (address, _):
        shown = expired(days).certificate
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await asked(address, pb.EnrolRequest(csr=request_for(KEY), expired_certificate=shown))
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert words in (refused.value.details() or "")


async def test_a_vehicle_that_was_enrolled_again_since_comes_back(tmp_path: Path) -> None:
    """A revocation from before its enrolment says nothing of it."""
    async with enrolment(tmp_path, revocations(ada=NOW - 50 * DAY)) as (address, _):
        shown = expired(2).certificate
        reply = await asked(address, pb.EnrolRequest(csr=request_for(KEY), expired_certificate=shown))
    assert identity_of(reply.certificate).vehicle == "ada"


STRANGER = new_authority(NOW)


def of_version(number: int) -> bytes:
    """The authority's certificate (PEM), said to be of that version of X.509 (RFC 5280, 4.1: counted from 0)."""
    version_3 = b"\xa0\x03\x02\x01\x02"
    der = ssl.PEM_cert_to_DER_cert(CA.certificate.decode())
    return ssl.DER_cert_to_PEM_cert(der.replace(version_3, version_3[:-1] + bytes([number]), 1)).encode()


@pytest.mark.parametrize(
    ("shown", "signer", "words"),
    [
        (b"", KEY, "no certificate that a vehicle of this gateway was given"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", KEY, "no certificate"),
        (of_version(7), KEY, "no certificate"),
        (b"x" * 20_000, KEY, "more than 16384 bytes"),
        (expired(2, STRANGER).certificate, KEY, "no certificate"),
        (Signer(CA).serving(["gateway"], Lifetime(NOW, NOW + DAY)).certificate, KEY, "no certificate"),
        (CA.certificate, KEY, "no certificate"),
        (expired(2).certificate, new_key(), "not signed by the certificate's key"),
    ],
)
def test_what_proves_nothing_brings_nobody_back(shown: bytes, signer: bytes, words: str) -> None:
    """Another authority's certificate, one of no vehicle, and one whose key the caller has not."""
    with pytest.raises(NotReturning, match=words):
        returning(shown, requested_key(request_for(signer)), CA.certificate)
