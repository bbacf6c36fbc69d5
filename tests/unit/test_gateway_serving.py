"""The serving certificate of the kubelet port: asked for, put into the live port, renewed in time."""

import asyncio
import base64
import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from parkade_core.signing import decide
from parkade_operator.controllers.signing import request_of
from parkade_operator.gateway.serving import REQUESTS, ServingCertificate
from parkade_operator.kubelet.callers import tls_of
from support.apiserver import ApiServer, serving
from support.objects import Object

GATEWAY = "system:serviceaccount:parkade-system:parkade-gateway"
NAMED = {"metadata": {"name": "parkade-gateway-x1"}}


class Cluster:
    """An API server whose signer is a CA of the test."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._sign(
            self._key.public_key(), x509.Name.from_rfc4514_string("CN=ca"), dt.timedelta(days=1)
        )

    async def request(self, number: int) -> Object:
        """The certificate request that is asked for as number *number*, from 1 on."""
        async with asyncio.timeout(10):
            while (
                len(made := [body for path, body in self.api.requests("POST") if path == REQUESTS]) < number
            ):
                await self.api.news()
        body = made[number - 1]
        assert body is not None
        return body

    def signed(self, body: Object, lifetime: dt.timedelta) -> Object:
        """The same request with a certificate that lives so long."""
        request = x509.load_pem_x509_csr(base64.b64decode(body["spec"]["request"]))
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        certificate = self._sign(key, request.subject, lifetime)
        return NAMED | {"status": {"certificate": base64.b64encode(certificate).decode()}}

    def _sign(self, key: ec.EllipticCurvePublicKey, subject: x509.Name, lifetime: dt.timedelta) -> bytes:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).public_key(key)
        builder = builder.issuer_name(x509.Name.from_rfc4514_string("CN=ca"))
        builder = builder.not_valid_before(now).not_valid_after(now + lifetime)
        signed = builder.serial_number(x509.random_serial_number()).sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[tuple[Cluster, ServingCertificate, ssl.SSLContext]]:
    """A cluster, and a certificate for one address that goes into a TLS context."""
    async with serving(tmp_path) as (api, client):
        cluster = Cluster(api)
        tls = tls_of(cluster.pem.decode())
        yield cluster, ServingCertificate(client, "10.0.0.7", tls), tls


async def served(tls: ssl.SSLContext) -> int:
    """The serial number of the certificate that a port with this context shows."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with contextlib.suppress(OSError):  # the port wants a certificate of ours, too
            await writer.wait_closed()
    return x509.load_der_x509_certificate(der).serial_number


async def test_what_the_gateway_asks_for_is_what_the_operator_approves(
    parts: tuple[Cluster, ServingCertificate, ssl.SSLContext],
) -> None:
    """Both ends of the rule agree, and a second address would not pass."""
    cluster, certificate, _ = parts
    cluster.api.answer(NAMED, NAMED)
    asking = asyncio.create_task(certificate.obtain())
    body = await cluster.request(1)
    asked = request_of(body | {"spec": body["spec"] | {"username": GATEWAY}})
    assert decide(asked, GATEWAY, ["10.0.0.7"]).verdict == "Approved"
    assert decide(asked, GATEWAY, ["10.0.0.8"]).verdict == "Denied"
    assert body["spec"]["expirationSeconds"] >= 600
    asking.cancel()


async def test_a_certificate_that_nears_its_end_is_replaced_in_the_live_port(
    parts: tuple[Cluster, ServingCertificate, ssl.SSLContext],
) -> None:
    """The port shows the new certificate without being opened again; every one has a key of its own."""
    cluster, certificate, tls = parts
    cluster.api.answer(NAMED)
    asking = asyncio.create_task(certificate.obtain())
    first = await cluster.request(1)
    cluster.api.answer(NAMED, cluster.signed(first, dt.timedelta(seconds=2)), NAMED)
    async with asyncio.timeout(10):
        await asking
    before = await served(tls)
    keeping = asyncio.create_task(certificate.keep())
    second = await cluster.request(2)
    assert request_key(first) != request_key(second)
    cluster.api.answer(cluster.signed(second, dt.timedelta(days=1)))
    async with asyncio.timeout(10):
        while await served(tls) == before:  # noqa: ASYNC110 - the port tells nobody
            await asyncio.sleep(0.02)
    keeping.cancel()


def request_key(body: Object) -> object:
    """The public key in a request."""
    return x509.load_pem_x509_csr(base64.b64decode(body["spec"]["request"])).public_key()


@pytest.mark.parametrize(
    "no",
    [
        NAMED | {"status": {"conditions": [{"type": "Denied", "message": "no"}]}},
        NAMED | {"status": {"conditions": [{"type": "Approved"}, {"type": "Failed"}]}},
        None,
    ],
)
async def test_after_a_no_it_asks_again(
    parts: tuple[Cluster, ServingCertificate, ssl.SSLContext], no: Object | None
) -> None:
    """Denied, failed or deleted: a new request with a new key, a second later."""
    cluster, certificate, tls = parts
    cluster.api.answer(NAMED)
    if no is None:
        cluster.api.refuse(404, "NotFound", "gone")
    else:
        cluster.api.answer(no)
    cluster.api.answer(NAMED)
    asking = asyncio.create_task(certificate.obtain())
    second = await cluster.request(2)
    cluster.api.answer(cluster.signed(second, dt.timedelta(days=1)))
    async with asyncio.timeout(10):
        await asking
    assert await served(tls)
