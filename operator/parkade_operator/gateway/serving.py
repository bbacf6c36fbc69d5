"""The kubelet port of all vehicles: its serving certificate, signed by the cluster and kept fresh, and the port itself.

The gateway asks for its certificate by a CertificateSigningRequest and the operator approves it, so that the API
server, which trusts the cluster's CA, can tell this port from any other. The key is never on a disk.
"""

import asyncio
import base64
import datetime as dt
import ipaddress
import os
import ssl

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parkade_core.signing import SERVING_GROUP, SERVING_NAME, SERVING_USAGES, SIGNER, renewal_after
from parkade_operator.door.metrics import CERTIFICATE_EXPIRY
from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.errors import KubeError, NotFound
from parkade_operator.kubelet.api import KubeletApi, LogSource
from parkade_operator.kubelet.callers import Callers, client_ca, tls_of

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
LIFETIME_SECONDS = 24 * 3600
_TRUST_SECONDS = 600.0  # between two looks at the CA of the cluster's clients
_FIRST_POLL = 0.1
_LONGEST_POLL = 5.0
_FIRST_RETRY = 1.0
_LONGEST_RETRY = 60.0
_log = structlog.get_logger()


class NotSigned(Exception):
    """The cluster does not sign this request; the text says why."""


class ServingCertificate:
    """Puts a certificate for *address* into a live TLS context, and a new one before it ends."""

    def __init__(self, client: KubeClient, address: str, tls: ssl.SSLContext) -> None:
        self._client = client
        self._address = address
        self._tls = tls
        self._renew_at = 0.0

    async def obtain(self) -> None:
        """Returns once a new certificate serves; asks again, with growing patience, after every no."""
        wait = _FIRST_RETRY
        while True:
            try:
                return await self._request()
            except (KubeError, NotSigned) as error:
                _log.warning(
                    "no serving certificate", address=self._address, error=str(error), retry_seconds=wait
                )
            await asyncio.sleep(wait)
            wait = min(_LONGEST_RETRY, wait * 2)

    async def keep(self) -> None:
        """Renews the certificate in good time, and follows the CA of the cluster's clients; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, min(self._renew_at - loop.time(), _TRUST_SECONDS)))
            if loop.time() >= self._renew_at:
                await self.obtain()
            else:
                await self._trust()

    async def _request(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        made = await self._client.create(REQUESTS, _body(key, self._address))
        name = str(made["metadata"]["name"])
        _log.info("serving certificate asked for", request=name, address=self._address)
        self._serve(await self._signed(name), key)

    async def _signed(self, name: str) -> bytes:
        """A request that nobody decides stays as it is: another one would wait as long."""
        wait = _FIRST_POLL
        while True:
            await asyncio.sleep(wait)
            wait = min(_LONGEST_POLL, wait * 2)
            try:
                status: Object = (await self._client.get(f"{REQUESTS}/{name}")).get("status") or {}
            except NotFound as error:
                raise NotSigned(f"{name} was deleted") from error
            if certificate := status.get("certificate"):
                return base64.b64decode(certificate)
            for condition in status.get("conditions") or []:
                if condition["type"] in {"Denied", "Failed"}:
                    raise NotSigned(f"{name} {condition['type']}: {condition.get('message', '')}")

    def _serve(self, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> None:
        try:
            end = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
            _load(self._tls, certificate, key)
        except (ValueError, ssl.SSLError) as error:
            raise NotSigned(f"what was signed is no certificate for our key: {error}") from error
        left = (end - dt.datetime.now(dt.UTC)).total_seconds()
        self._renew_at = asyncio.get_running_loop().time() + renewal_after(left)
        CERTIFICATE_EXPIRY.labels("kubelet").set(end.timestamp())
        _log.info("serving certificate in use", address=self._address, ends=end.isoformat())

    async def _trust(self) -> None:
        """A new CA is added to the old one, which is trusted until this process ends."""
        try:
            self._tls.load_verify_locations(cadata=await client_ca(self._client))
        except (KubeError, ssl.SSLError) as error:
            _log.warning("CA of the cluster's clients not read", error=str(error))


async def serve_kubelet(client: KubeClient, source: LogSource, listen: str, port: int, address: str) -> None:
    """Opens the kubelet port on *listen* as soon as it has a certificate for *address*, until cancelled."""
    tls = tls_of(await _client_ca(client))
    certificate = ServingCertificate(client, address, tls)
    await certificate.obtain()
    api = KubeletApi(source, Callers(client))
    try:
        await api.start(listen, port, tls)
        _log.info("logs are served", address=address, port=port)
        await certificate.keep()
    finally:
        await api.stop()


async def _client_ca(client: KubeClient) -> str:
    wait = _FIRST_RETRY
    while True:
        try:
            return await client_ca(client)
        except KubeError as error:
            _log.warning("CA of the cluster's clients not read", error=str(error), retry_seconds=wait)
        await asyncio.sleep(wait)
        wait = min(_LONGEST_RETRY, wait * 2)


def _body(key: ec.EllipticCurvePrivateKey, address: str) -> Object:
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(
            x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, SERVING_GROUP),
                    x509.NameAttribute(NameOID.COMMON_NAME, SERVING_NAME),
                ]
            )
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "parkade-gateway-"},
        "spec": {
            "request": base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(),
            "signerName": SIGNER,
            "usages": list(SERVING_USAGES),
            "expirationSeconds": LIFETIME_SECONDS,
        },
    }


def _load(tls: ssl.SSLContext, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """The TLS library reads files only: this one is in memory and has no name."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = os.memfd_create("serving", os.MFD_CLOEXEC)
    try:
        os.write(file, certificate + private)
        tls.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
