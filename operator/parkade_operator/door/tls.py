"""Who is at the door: the verified identity in a vehicle's certificate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
from cryptography import x509

from parkade_api.wellknown import GROUP, SAN_CLAIM, SAN_ENROLLED, SAN_VEHICLE
from parkade_core.enrolment import problem_of_vehicle


@dataclass(frozen=True, slots=True)
class Identity:
    """A vehicle and the claims that were verified at enrolment, as Node labels. Moments are unix seconds.

    A certificate that does not say when its vehicle was enrolled counts as an enrolment of long ago.
    """

    vehicle: str
    claims: Mapping[str, str] = field(default_factory=dict)
    enrolled_at: float = 0.0
    expires_at: float = math.inf


class NoIdentity(Exception):
    """The peer's certificate names no vehicle."""


def identity_of(pem: bytes) -> Identity:
    """The identity in a client certificate that TLS has verified. Raises NoIdentity."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise NoIdentity("the certificate has no subject alternative name") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    vehicles = [uri.removeprefix(SAN_VEHICLE) for uri in uris if uri.startswith(SAN_VEHICLE)]
    if len(vehicles) != 1 or problem_of_vehicle(vehicles[0]):
        raise NoIdentity(f"the certificate must name one vehicle, as {SAN_VEHICLE}<id>; it names {vehicles}")
    claims = [uri.removeprefix(SAN_CLAIM).partition(":") for uri in uris if uri.startswith(SAN_CLAIM)]
    return Identity(
        vehicles[0],
        {f"{GROUP}/{name}": value for name, _, value in claims},
        _enrolled_at(uris),
        certificate.not_valid_after_utc.timestamp(),
    )


def _enrolled_at(uris: list[str]) -> float:
    texts = [uri.removeprefix(SAN_ENROLLED) for uri in uris if uri.startswith(SAN_ENROLLED)]
    return int(texts[0]) / 1000 if len(texts) == 1 and texts[0].isdecimal() else 0.0


def peer_identity(context: grpc.aio.ServicerContext[object, object]) -> Identity:
    """The identity of the caller of an RPC. Raises NoIdentity."""
    pem = context.auth_context().get("x509_pem_cert")
    if not pem:
        raise NoIdentity("no client certificate")
    return identity_of(next(iter(pem)))
