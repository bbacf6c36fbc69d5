"""The owner's Ed25519 key, of which the vehicle has the public half, and the vehicle's own, which signs receipts."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parkade_agent.errors import AgentError
from parkade_api.wellknown import SAN_VEHICLE

_T = TypeVar("_T")
_log = structlog.get_logger()
_SHA256: Final = ec.ECDSA(hashes.SHA256())


class BadKey(AgentError):
    """These bytes are no key or certificate of the kind that is needed."""


def new_owner_key() -> bytes:
    """A private key for an owner, PEM."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_half(key: bytes) -> bytes:
    """The public half of an owner's private key, PEM. Raises BadKey."""
    return _public_pem(_owner_key(key).public_key())


def sign_as_owner(key: bytes, data: bytes) -> bytes:
    """The owner's signature of *data*. Raises BadKey."""
    return _owner_key(key).sign(data)


def is_owners(public: bytes, data: bytes, signature: bytes) -> bool:
    """Whether *signature* of *data* was made with the private half of the key *public*, PEM. Raises BadKey."""
    return _verified(lambda: _owner_public(public).verify(signature, data))


def fingerprint(public: bytes) -> str:
    """What a person compares of a public key. Raises BadKey."""
    raw = _owner_public(public).public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"sha256:{hashlib.sha256(raw).hexdigest()[:32]}"


def sign_as_vehicle(key: bytes, data: bytes) -> bytes:
    """The signature of the vehicle's own key, PEM, the one that it dials with. Raises BadKey."""
    private = _loaded(lambda: serialization.load_pem_private_key(key, password=None), "the vehicle's key")
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise BadKey("the vehicle's key is no EC key")
    return private.sign(data, _SHA256)


def is_vehicles(certificate: bytes, data: bytes, signature: bytes) -> bool:
    """Whether *signature* of *data* was made by the vehicle of that certificate, PEM. Raises BadKey."""
    public = _certificate(certificate).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise BadKey("the vehicle's certificate is for no EC key")
    return _verified(lambda: public.verify(signature, data, _SHA256))


def vehicle_of(certificate: bytes) -> str:
    """The id of the vehicle that a certificate, PEM, is for. Raises BadKey."""
    try:
        names = _certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise BadKey("the certificate names no vehicle") from None
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    vehicles = [uri.removeprefix(SAN_VEHICLE) for uri in uris if uri.startswith(SAN_VEHICLE)]
    if len(vehicles) != 1:
        raise BadKey("the certificate names no vehicle")
    return vehicles[0]


def name_of(certificate: Path) -> str:
    """The id of the vehicle whose certificate that file is; empty when there is none, and then no consent is for it."""
    try:
        return vehicle_of(certificate.read_bytes())
    except (BadKey, OSError) as error:
        _log.warning("the vehicle does not know its name", error=str(error))
        return ""


def _owner_key(key: bytes) -> Ed25519PrivateKey:
    private = _loaded(lambda: serialization.load_pem_private_key(key, password=None), "the owner's key")
    if not isinstance(private, Ed25519PrivateKey):
        raise BadKey("the owner's key is no private Ed25519 key")
    return private


def _owner_public(public: bytes) -> Ed25519PublicKey:
    found = _loaded(lambda: serialization.load_pem_public_key(public), "the owner's public key")
    if not isinstance(found, Ed25519PublicKey):
        raise BadKey("the owner's public key is no Ed25519 key")
    return found


def _certificate(certificate: bytes) -> x509.Certificate:
    return _loaded(lambda: x509.load_pem_x509_certificate(certificate), "the vehicle's certificate")


def _public_pem(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _loaded(load: Callable[[], _T], what: str) -> _T:
    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey(f"{what} cannot be read: it must be a PEM file without a password") from None


def _verified(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True
