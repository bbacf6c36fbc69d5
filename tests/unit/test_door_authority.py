"""The door's authority: made once, what it signs, and a serving certificate that changes under open connections."""

import asyncio
import base64
import datetime as dt
import ssl
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_operator.door.authority import Addresses, Authority, fetch_pair, publish
from parkade_operator.door.certificates import BadRequest, Pair, key_digest, new_authority, requested_key
from parkade_operator.door.tls import Identity, identity_of
from support.apiserver import serving
from support.controlplane import eventually
from support.doors import EchoDoor, open_port, pem

NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
PAIR = new_authority(dt.datetime.now(dt.UTC))
EMPTY = {"metadata": {"resourceVersion": "7"}}


def request(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """A certificate request signed by *key*."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vehicle-of-somebody-else")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm)
    return csr.public_bytes(serialization.Encoding.DER)


def filled(pair: Pair) -> dict[str, object]:
    """The authority's Secret with data."""
    encoded = {"tls.crt": pair.certificate, "tls.key": pair.key}
    return EMPTY | {"data": {name: base64.b64encode(value).decode() for name, value in encoded.items()}}


async def test_the_first_gateway_makes_the_authority(tmp_path: Path) -> None:
    """An empty Secret is filled once, guarded by the version that was read."""
    async with serving(tmp_path) as (server, client):
        server.answer(EMPTY, {})
        pair = await fetch_pair(client, "ns")
        ((path, body),) = server.requests("PATCH")
    assert path == "/api/v1/namespaces/ns/secrets/parkade-gateway-ca"
    assert body is not None
    assert body["metadata"] == {"resourceVersion": "7"}
    assert base64.b64decode(body["data"]["tls.crt"]) == pair.certificate
    Authority(pair, ["localhost"])


async def test_a_lost_race_is_no_second_authority(tmp_path: Path) -> None:
    """Who finds that another gateway was first takes what that one wrote."""
    async with serving(tmp_path) as (server, client):
        server.answer(EMPTY)
        server.refuse(409, "Conflict", "the object has been modified")
        server.answer(filled(PAIR))
        assert await fetch_pair(client, "ns") == PAIR


async def test_half_an_authority_is_an_error_and_not_replaced(tmp_path: Path) -> None:
    """A Secret that holds one of both, or a key of another certificate, needs a person: nothing is overwritten."""
    half = EMPTY | {"data": {"tls.crt": ""}}
    async with serving(tmp_path) as (server, client):
        server.answer(half)
        with pytest.raises(ValueError, match=r"has no tls\.key"):
            await fetch_pair(client, "ns")
        assert server.requests("PATCH") == []
    with pytest.raises(ValueError, match="does not belong"):
        Authority(Pair(PAIR.certificate, new_authority(NOW).key), ["localhost"])


async def test_the_authority_is_published_when_it_differs(tmp_path: Path) -> None:
    """The ConfigMap has the certificate and where to dial; an unchanged one is not written."""
    addresses = Addresses("door:1", "door:2")
    async with serving(tmp_path) as (server, client):
        server.answer({}, {})
        await publish(client, "ns", PAIR.certificate, addresses)
        ((_, body),) = server.requests("PATCH")
        assert body is not None
        assert body["data"] == {
            "ca.crt": PAIR.certificate.decode(),
            "door": "door:1",
            "enrolment": "door:2",
        }
        server.answer(body)
        await publish(client, "ns", PAIR.certificate, addresses)
        assert len(server.requests("PATCH")) == 1


def test_a_vehicles_certificate_says_who_was_enrolled_when() -> None:
    """Identity and moment come back as they were given; it is good for clients alone, and for its time."""
    key = ec.generate_private_key(ec.SECP256R1())
    identity = Identity("ada", {"parkade.dev/region": "eu"}, 1797932473.123)
    signed = Authority(PAIR, ["localhost"], vehicle_seconds=60).sign(key.public_key(), identity)
    found = identity_of(signed)
    assert (found.vehicle, found.claims, found.enrolled_at) == ("ada", identity.claims, identity.enrolled_at)
    certificate = x509.load_pem_x509_certificate(signed)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == dt.timedelta(seconds=360)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(PAIR.certificate))


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "RSA-2048"],
)
def test_keys_that_tls_takes_are_signed(key: CertificateIssuerPrivateKeyTypes) -> None:
    """The key is the request's; its subject is nobody's business."""
    found = requested_key(request(key))
    assert found == key.public_key()
    assert len(key_digest(found)) == 64


def _forged() -> bytes:
    data = bytearray(request(ec.generate_private_key(ec.SECP256R1())))
    data[-1] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no certificate request"),
        (b"hello", "no certificate request"),
        (b"\0" * 20_000, "more than 16384 bytes"),
        (request(ec.generate_private_key(ec.SECP521R1())), "must be EC P-256"),
        (request(ed25519.Ed25519PrivateKey.generate()), "must be EC P-256 or P-384, or RSA of 2048"),
        (request(rsa.generate_private_key(65537, 1024)), "must be EC P-256"),  # noqa: S505 - refused
        (_forged(), "not signed by the key"),
    ],
    ids=["empty", "text", "large", "P-521", "Ed25519", "RSA-1024", "forged"],
)
def test_other_requests_are_refused_in_words(data: bytes, words: str) -> None:
    """No request without proof of its key, and no key that the door's TLS would not take."""
    with pytest.raises(BadRequest, match=words):
        requested_key(data)


async def test_a_new_serving_certificate_drops_no_connection() -> None:
    """New handshakes get a new certificate when most of the old one's life is over; an open stream goes on."""
    authority = Authority(PAIR, ["127.0.0.1"], serving_seconds=6)
    async with open_port(EchoDoor(), authority.port_credentials()) as port:
        roots = grpc.ssl_channel_credentials(PAIR.certificate)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", roots) as channel:
            stub: rpc.FleetAsyncStub = rpc.FleetStub(channel)
            call = stub.Session()
            await call.write(pb.VehicleMessage())
            assert await call.read()
            before = ssl.get_server_certificate(("127.0.0.1", port))
            assert ssl.get_server_certificate(("127.0.0.1", port)) == before
            await asyncio.to_thread(
                eventually, lambda: ssl.get_server_certificate(("127.0.0.1", port)) != before, 20, "a new one"
            )
            await call.write(pb.VehicleMessage())
            assert await call.read()
            call.cancel()
    assert pem(authority.serving().certificate).not_valid_after_utc > pem(before.encode()).not_valid_after_utc
