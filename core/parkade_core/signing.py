"""Which serving certificate the cluster may sign for the gateway's kubelet port. Anything else stays unsigned."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

SIGNER = "kubernetes.io/kubelet-serving"
SERVING_NAME = "system:node:parkade-gateway"
SERVING_GROUP = "system:nodes"
SERVING_USAGES = ("digital signature", "server auth")


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A CertificateSigningRequest: who asks whom, and what for. *problem* says why its content cannot be read."""

    user: str
    signer: str
    usages: tuple[str, ...]
    is_decided: bool = False
    common_name: str = ""
    organizations: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()  # alternative names that are no addresses
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """What becomes of a request, with the reason and the sentence that its condition shows."""

    verdict: Literal["Approved", "Denied", "Leave"]
    reason: str
    message: str


def decide(request: SigningRequest, gateway: str, addresses: Collection[str]) -> Approval:
    """Approves what *gateway*, a user, needs to serve on *addresses*; denies it more; leaves others' requests alone."""
    if request.is_decided:
        return Approval("Leave", "Decided", "somebody has decided")
    if request.signer != SIGNER or request.user != gateway:
        return Approval("Leave", "NotOurs", "another signer's or another identity's")
    if (problem := _problem(request, addresses)) is not None:
        return Approval("Denied", "NotAServingCertificate", problem)
    where = ", ".join(request.addresses)
    return Approval(
        "Approved", "GatewayServing", f"the gateway serves the kubelet's API of vehicles on {where}"
    )


def _problem(request: SigningRequest, addresses: Collection[str]) -> str | None:
    strangers = [*request.other_names, *(name for name in request.addresses if name not in addresses)]
    if request.problem:
        return request.problem
    if request.common_name != SERVING_NAME or request.organizations != (SERVING_GROUP,):
        return f"the subject must be {SERVING_NAME} of {SERVING_GROUP}"
    if strangers:
        return f"the gateway does not serve on {', '.join(strangers)}"
    if not request.addresses:
        return "the certificate must name an address"
    if sorted(request.usages) != sorted(SERVING_USAGES):
        return f"the usages must be {' and '.join(SERVING_USAGES)}"
    return None


def renewal_after(lifetime: float) -> float:
    """When to replace a certificate that lives for *lifetime* seconds: a fifth of it stays in reserve."""
    return max(0.0, lifetime) * 0.8
