"""The vehicle's key and what is asked and known with it: X.509 at its smallest."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate, PEM; the moments of the certificate are unix seconds."""

    key: bytes
    certificate: bytes
    not_before: float
    not_after: float


def new_key() -> bytes:
    """A private key that has no certificate yet, PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def is_key(key: bytes) -> bool:
    """Whether a certificate can be asked for with these bytes."""
    try:
        request_for(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def request_for(key: bytes) -> bytes:
    """The certificate request of a private key, PKCS #10 DER; it names nobody. Raises ValueError."""
    private = serialization.load_pem_private_key(key, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is no EC key")  # noqa: TRY004 - callers handle one error
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def pair_of(key: bytes, certificate: bytes) -> KeyPair | None:
    """Both as a pair, None when they do not belong together. Raises ValueError when one of them is damaged."""
    found = x509.load_pem_x509_certificate(certificate)
    private = serialization.load_pem_private_key(key, password=None)
    if private.public_key() != found.public_key():
        return None
    return KeyPair(
        key, certificate, found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    )
