"""Vehicles that come back after a long absence: their certificate has expired, and they show that they have its key.

The proof is the certificate request itself: it is signed by the key that it names (PKCS #10), and that key must be the
certificate's. Whoever repeats a request without the key gets a certificate of no use to them.
"""

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from parkade_operator.door.certificates import MOST_REQUEST_BYTES, VehicleKey
from parkade_operator.door.tls import Identity, NoIdentity, identity_of

_NO_CERTIFICATE: Final = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    NoIdentity,
)


class NotReturning(Exception):
    """What was shown brings no vehicle back; the message says why."""


def returning(shown: bytes, key: VehicleKey, authority: bytes) -> Identity:
    """Who the certificate *shown* (PEM) was given to, if by *authority* (PEM) and for *key*. Raises NotReturning.

    When it ended is not looked at: that is for core to judge.
    """
    if len(shown) > MOST_REQUEST_BYTES:
        raise NotReturning(f"the certificate has more than {MOST_REQUEST_BYTES} bytes")
    try:
        certificate = x509.load_pem_x509_certificate(shown)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        is_its_key = certificate.public_key() == key
        identity = identity_of(shown)
    except _NO_CERTIFICATE as error:
        raise NotReturning("this is no certificate that a vehicle of this gateway was given") from error
    if not is_its_key:
        raise NotReturning("the certificate request is not signed by the certificate's key")
    return identity
