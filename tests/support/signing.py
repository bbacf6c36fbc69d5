"""Certificates that the cluster itself signs, as a test asks for them."""

import base64
import ipaddress
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parkade_hack.controlplane import Kubectl
from support.controlplane import eventually

Object = dict[str, Any]


def request_pem(
    key: ec.EllipticCurvePrivateKey, names: list[tuple[str, str]], *alternatives: x509.GeneralName
) -> str:
    """A certificate request of *names* (CN or O, value) with alternative names, PEM."""
    kinds = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}
    subject = x509.Name([x509.NameAttribute(kinds[kind], value) for kind, value in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def signing_request(name: str, signer: str, usages: list[str], pem: str) -> Object:
    """The object that asks *signer* for a certificate."""
    spec = {"request": base64.b64encode(pem.encode()).decode(), "signerName": signer, "usages": usages}
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    return kind | {"metadata": {"name": name}, "spec": spec}


def serving_request(name: str, *addresses: str) -> Object:
    """What the gateway asks for, for other addresses perhaps."""
    alternatives = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    names = [("O", "system:nodes"), ("CN", "system:node:parkade-gateway")]
    pem = request_pem(ec.generate_private_key(ec.SECP256R1()), names, *alternatives)
    return signing_request(name, "kubernetes.io/kubelet-serving", ["digital signature", "server auth"], pem)


def client_certificate(kubectl: Kubectl, user: str, folder: Path) -> Path:
    """A file with certificate and key of *user*, approved by the administrator."""
    key = ec.generate_private_key(ec.SECP256R1())
    asked = signing_request(
        user, "kubernetes.io/kube-apiserver-client", ["client auth"], request_pem(key, [("CN", user)])
    )
    kubectl("create", "-f", "-", stdin=json.dumps(asked))
    kubectl("certificate", "approve", user)
    signed = eventually(
        lambda: kubectl.read("csr", user).get("status", {}).get("certificate"), 20, "the cluster signs"
    )
    kubectl("delete", "csr", user)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{user}.pem"
    file.touch(mode=0o600)
    file.write_bytes(base64.b64decode(signed) + private)
    return file
