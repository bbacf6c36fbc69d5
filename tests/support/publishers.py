"""Publishers of bundles, each with a key pair of its own."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@dataclass(frozen=True)
class Publisher:
    """Where a publisher's keys are, PEM."""

    private: Path
    public: Path


def make_publisher(folder: Path, name: str) -> Publisher:
    """Makes a P-256 key pair as `openssl ecparam` and `openssl ec -pubout` would."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    publisher = Publisher(folder / f"{name}.key", folder / f"{name}.pem")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    publisher.private.write_bytes(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    publisher.public.write_bytes(public)
    return publisher
