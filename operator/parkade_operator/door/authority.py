"""The door's own authority: made once by the first gateway that leads, kept in a Secret, shown in a ConfigMap."""

import base64
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc
import structlog

from parkade_api.wellknown import CONFIG_MAP_CA, SECRET_CA
from parkade_core.enrolment import SKEW_SECONDS
from parkade_operator.door.certificates import (
    SERVING_SKEW_SECONDS,
    Lifetime,
    Pair,
    Signer,
    VehicleKey,
    new_authority,
)
from parkade_operator.door.metrics import CERTIFICATE_EXPIRY
from parkade_operator.door.tls import Identity
from parkade_operator.kube.client import MERGE, KubeClient, Object
from parkade_operator.kube.errors import Conflict

SERVING_SECONDS: Final = 24 * 3600.0
VEHICLE_SECONDS: Final = 24 * 3600.0
RENEWAL_GRACE_SECONDS: Final = 30 * 24 * 3600.0
_RENEW_AFTER: Final = 2 / 3
_CERTIFICATE, _KEY = "tls.crt", "tls.key"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where vehicles reach the gateway, host:port, as `kubectl parkade enroll` writes it into tokens."""

    door: str
    enrolment: str


class Authority:
    """Signs for vehicles, and gives the gateway's ports their certificates. Safe to use from any thread."""

    def __init__(
        self,
        pair: Pair,
        names: Sequence[str],
        vehicle_seconds: float = VEHICLE_SECONDS,
        serving_seconds: float = SERVING_SECONDS,
    ) -> None:
        """Raises ValueError when *pair* is no certificate with its key. *names* are those of the ports."""
        self._signer = Signer(pair)
        CERTIFICATE_EXPIRY.labels("authority").set(self._signer.ends.timestamp())
        self._names = tuple(names)
        self._vehicle_seconds = vehicle_seconds
        self._serving_seconds = serving_seconds
        self._lock = threading.Lock()
        self._serving: Pair | None = None
        self._renew_at = 0.0

    @property
    def certificate(self) -> bytes:
        """The authority's certificate, PEM: what vehicles and the operator check the ports by."""
        return self._signer.certificate

    def sign(self, key: VehicleKey, identity: Identity) -> bytes:
        """A certificate for a vehicle, PEM, valid from now on."""
        lifetime = Lifetime.of(datetime.now(UTC), self._vehicle_seconds, SKEW_SECONDS)
        return self._signer.vehicle(key, identity, lifetime)

    def serving(self) -> Pair:
        """The ports' certificate; a new one when two thirds of the last one's life are over."""
        with self._lock:
            if self._serving is None or time.time() >= self._renew_at:
                self._renew_at = time.time() + self._serving_seconds * _RENEW_AFTER
                lifetime = Lifetime.of(datetime.now(UTC), self._serving_seconds, SERVING_SKEW_SECONDS)
                self._serving = self._signer.serving(self._names, lifetime)
                CERTIFICATE_EXPIRY.labels("ports").set(lifetime.end.timestamp())
            return self._serving

    def port_credentials(self, *, vehicles_only: bool = False) -> grpc.ServerCredentials:
        """TLS for a port: every handshake gets the newest certificate, open connections stay.

        With *vehicles_only*, nobody without a certificate of this authority gets in.
        """
        configuration = _Configurations(self, vehicles_only=vehicles_only)
        return grpc.dynamic_ssl_server_credentials(
            configuration.first(),
            configuration.next,  # type: ignore[arg-type] # None is how gRPC hears of no change
            require_client_authentication=vehicles_only,
        )


class _Configurations:
    """What gRPC asks before each handshake of one port."""

    def __init__(self, authority: Authority, *, vehicles_only: bool) -> None:
        self._authority = authority
        self._roots = authority.certificate if vehicles_only else None
        self._given: Pair | None = None

    def first(self) -> grpc.ServerCertificateConfiguration:
        """The configuration that the port opens with."""
        self._given = self._authority.serving()
        return self._configuration(self._given)

    def next(self) -> grpc.ServerCertificateConfiguration | None:
        """Another configuration if the certificate is a new one, else None."""
        pair = self._authority.serving()
        if pair is self._given:
            return None
        self._given = pair
        return self._configuration(pair)

    def _configuration(self, pair: Pair) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)], self._roots)


async def fetch_pair(client: KubeClient, namespace: str) -> Pair:
    """The authority's pair from its Secret, which is filled when it is empty. Raises KubeError, ValueError."""
    path = f"/api/v1/namespaces/{namespace}/secrets/{SECRET_CA}"
    while True:
        secret = await client.get(path)
        data: Mapping[str, str] = secret.get("data") or {}
        if _CERTIFICATE in data or _KEY in data:
            return _pair_in(data)
        pair = new_authority(datetime.now(UTC))
        try:
            await client.patch(path, _filled(secret, pair), MERGE)
        except Conflict:
            # Another gateway was first: what it wrote is the authority.
            continue
        _log.info("a new authority was made for the door", secret=SECRET_CA)
        return pair


async def publish(client: KubeClient, namespace: str, certificate: bytes, addresses: Addresses) -> None:
    """Shows certificate and addresses to whoever may read the ConfigMap. Raises KubeError."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/{CONFIG_MAP_CA}"
    wanted = {"ca.crt": certificate.decode(), "door": addresses.door, "enrolment": addresses.enrolment}
    if (await client.get(path)).get("data") != wanted:
        await client.patch(path, {"data": wanted}, MERGE)


def _pair_in(data: Mapping[str, str]) -> Pair:
    try:
        return Pair(base64.b64decode(data[_CERTIFICATE]), base64.b64decode(data[_KEY]))
    except KeyError as error:
        raise ValueError(
            f"the Secret {SECRET_CA} has no {error.args[0]}: empty it, and a new authority is made"
        ) from None


def _filled(secret: Object, pair: Pair) -> Object:
    return {
        "metadata": {"resourceVersion": secret["metadata"]["resourceVersion"]},
        "data": {
            _CERTIFICATE: base64.b64encode(pair.certificate).decode(),
            _KEY: base64.b64encode(pair.key).decode(),
        },
    }
