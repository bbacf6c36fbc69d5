"""X.509 of the door: its authority, its serving certificate, and what it signs for vehicles."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parkade_api.wellknown import GROUP, SAN_CLAIM, SAN_ENROLLED, SAN_VEHICLE
from parkade_operator.door.tls import Identity

AUTHORITY_YEARS: Final = 10
SERVING_SKEW_SECONDS: Final = 3600
"""How far a vehicle's clock may be behind: what it checks is valid from that long ago."""
MOST_REQUEST_BYTES: Final = 16 * 1024
_LEAST_RSA_BITS: Final = 2048
_MOST_RSA_BITS: Final = 8192

VehicleKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class BadRequest(Exception):
    """The certificate request cannot be signed; the message says why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Lifetime:
    """From when until when something is valid, timezone-aware."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def of(cls, now: dt.datetime, seconds: float, skew: float) -> "Lifetime":
        """*seconds* from *now*, begun *skew* seconds earlier for clocks that are behind."""
        return cls(now - dt.timedelta(seconds=skew), now + dt.timedelta(seconds=seconds))


class Signer:
    """The door's authority: its certificate, and its key, which never leaves this object."""

    def __init__(self, pair: Pair) -> None:
        """Raises ValueError when *pair* is no certificate with its EC key."""
        key = serialization.load_pem_private_key(pair.key, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the authority's key is no EC key")  # noqa: TRY004 - callers handle one error
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(pair.certificate)
        if self._certificate.public_key() != key.public_key():
            raise ValueError("the authority's key does not belong to its certificate")
        self.certificate = pair.certificate
        self.ends = self._certificate.not_valid_after_utc

    def serving(self, names: Sequence[str], lifetime: Lifetime) -> Pair:
        """A certificate for ports that are reached as *names* (DNS names and IP addresses), with a key of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        certificate = self._sign(key.public_key(), alternatives, ExtendedKeyUsageOID.SERVER_AUTH, lifetime)
        return Pair(certificate, _private_pem(key))

    def vehicle(self, key: VehicleKey, identity: Identity, lifetime: Lifetime) -> bytes:
        """A vehicle's certificate, PEM."""
        claims = [
            f"{SAN_CLAIM}{label.removeprefix(f'{GROUP}/')}:{value}"
            for label, value in sorted(identity.claims.items())
        ]
        enrolled = f"{SAN_ENROLLED}{round(identity.enrolled_at * 1000)}"
        uris = [f"{SAN_VEHICLE}{identity.vehicle}", enrolled, *claims]
        alternatives = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        return self._sign(key, alternatives, ExtendedKeyUsageOID.CLIENT_AUTH, lifetime)

    def _sign(
        self,
        key: VehicleKey,
        names: x509.SubjectAlternativeName,
        usage: x509.ObjectIdentifier,
        lifetime: Lifetime,
    ) -> bytes:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(x509.Name([]), self._certificate.subject, key, lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(issuer, critical=False)
            .add_extension(names, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def new_authority(now: dt.datetime) -> Pair:
    """A fresh authority for one installation."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "parkade-gateway-ca")])
    lifetime = Lifetime.of(now, AUTHORITY_YEARS * 365 * 86400, SERVING_SKEW_SECONDS)
    certificate = (
        _builder(name, name, key.public_key(), lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_AUTHORITY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def requested_key(request: bytes) -> VehicleKey:
    """The public key of a PKCS #10 request (DER) whose sender has the private one. Raises BadRequest."""
    if len(request) > MOST_REQUEST_BYTES:
        raise BadRequest(f"the certificate request has more than {MOST_REQUEST_BYTES} bytes")
    try:
        csr = x509.load_der_x509_csr(request)
        key = csr.public_key()
        if (problem := _problem_of_key(key)) is not None:
            raise BadRequest(problem)
        signed = csr.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise BadRequest("this is no certificate request (PKCS #10, DER)") from error
    if not signed or not isinstance(key, VehicleKey):
        raise BadRequest("the certificate request is not signed by the key that it names")
    return key


def key_digest(key: VehicleKey) -> str:
    """The sha256 of a public key, hex: which key a token was used with."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return digest.finalize().hex()


def _problem_of_key(key: object) -> str | None:
    match key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1()):
            return None
        case rsa.RSAPublicKey(key_size=bits) if _LEAST_RSA_BITS <= bits <= _MOST_RSA_BITS:
            return None
    return f"the key must be EC P-256 or P-384, or RSA of {_LEAST_RSA_BITS} to {_MOST_RSA_BITS} bits"


def _builder(
    subject: x509.Name, issuer: x509.Name, key: VehicleKey, lifetime: Lifetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(lifetime.start)
        .not_valid_after(lifetime.end)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


_AUTHORITY_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
