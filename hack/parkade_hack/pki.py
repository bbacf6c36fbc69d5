"""Certificates of a local cluster: small EC authorities and what they sign, written as PEM files."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = dt.timedelta(days=30)
CLOCK_SKEW = dt.timedelta(minutes=5)
RSA_BITS = 2048
PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate names, and whether it serves or calls."""

    common_name: str
    organization: str = ""
    dns: Sequence[str] = ()
    addresses: Sequence[str] = ()
    uris: Sequence[str] = ()
    is_server: bool = False


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files of one certificate and its private key."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority whose files lie in *folder*."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._cert = _authority_certificate(name, self._key)
        self.files = KeyPair(folder / "ca.crt", folder / "ca.key")
        _write_pair(self.files, self._cert, self._key)

    def issue(self, file_name: str, subject: Subject) -> KeyPair:
        """Signs a certificate for *subject* and writes `<file_name>.crt` and `<file_name>.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if subject.is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            _builder(_name(subject), self._cert.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names := _alternative_names(subject):
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pair = KeyPair(self._folder / f"{file_name}.crt", self._folder / f"{file_name}.key")
        _write_pair(pair, builder.sign(self._key, hashes.SHA256()), key)
        return pair


def write_rsa_pair(folder: Path, file_name: str) -> tuple[Path, Path]:
    """Makes an RSA key, as service-account tokens need it; returns the private and the public file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return _write_keys(key, folder / f"{file_name}.key", folder / f"{file_name}.pub")


def write_publisher_pair(folder: Path) -> tuple[Path, Path]:
    """Makes a key that signs bundles; the private file, and the public one in a folder for vehicles to know it by."""
    known = folder / "publishers"
    known.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    return _write_keys(key, folder / "publisher.key", known / "publisher.pem")


def _write_keys(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, private: Path, public: Path
) -> tuple[Path, Path]:
    _write_private(private, key)
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def _authority_certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
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
    return (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALIDITY)
    )


def _name(subject: Subject) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)]
    if subject.organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.organization))
    return x509.Name(attributes)


def _alternative_names(subject: Subject) -> list[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in subject.addresses]
    uris = [x509.UniformResourceIdentifier(uri) for uri in subject.uris]
    return [*(x509.DNSName(name) for name in subject.dns), *addresses, *uris]


def _write_pair(pair: KeyPair, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pair.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    _write_private(pair.key, key)


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=PRIVATE_MODE)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
