"""CertificateSigningRequests of the gateway: nobody else in a cluster approves serving certificates of kubelets."""

import base64
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from parkade_api.wellknown import GATEWAY
from parkade_core.signing import SIGNER, SigningRequest, decide
from parkade_operator.kube.client import MERGE, KubeClient, Object
from parkade_operator.kube.errors import Conflict, NotFound
from parkade_operator.kube.reflector import Reflector
from parkade_operator.kube.workqueue import WorkQueue

_REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_log = structlog.get_logger()


class ServingApprover:
    """Decides every request of the gateway's ServiceAccount in *namespace*, and no other.

    The gateway may serve on the addresses of its pods, or on *node_address* while it has no pods.
    """

    def __init__(self, client: KubeClient, namespace: str, node_address: str) -> None:
        self._client = client
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._gateway = f"system:serviceaccount:{namespace}:{GATEWAY}"
        self._node_address = node_address
        self._undecided: dict[str, Object] = {}
        self._queue = WorkQueue(self._reconcile, workers=1, name="signing")
        self._reflector = Reflector(client, _REQUESTS, self._take, fieldSelector=f"spec.signerName={SIGNER}")

    def parts(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs until it is cancelled."""
        return self._reflector.run(), self._queue.run()

    def _take(self, item: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        name = str(item["metadata"]["name"])
        if not exists or request_of(item).is_decided or item["spec"].get("username") != self._gateway:
            self._undecided.pop(name, None)
            return
        self._undecided[name] = item
        self._queue.add(name)

    async def _reconcile(self, name: str) -> float | None:
        item = self._undecided.get(name)
        if item is None:
            return None
        approval = decide(request_of(item), self._gateway, await self._addresses())
        if approval.verdict == "Leave":
            return None
        condition = {
            "type": approval.verdict,
            "status": "True",
            "reason": approval.reason,
            "message": approval.message,
            "lastUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        meta = {"resourceVersion": item["metadata"]["resourceVersion"]}
        body = {"metadata": meta, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(f"{_REQUESTS}/{name}/approval", body, MERGE)
        except (NotFound, Conflict):
            # Gone, or changed: then the watch tells it anew.
            return None
        _log.info("serving certificate", request=name, verdict=approval.verdict, why=approval.message)
        return None

    async def _addresses(self) -> Sequence[str]:
        pods = (await self._client.get(self._pods, fieldSelector=f"spec.serviceAccountName={GATEWAY}")).get(
            "items"
        )
        statuses = [pod.get("status") or {} for pod in pods or []]
        alive = [status for status in statuses if status.get("phase") not in {"Succeeded", "Failed"}]
        if not alive:
            return [self._node_address]
        return [address["ip"] for status in alive for address in status.get("podIPs") or []]


def request_of(item: Object) -> SigningRequest:
    """What a CertificateSigningRequest asks for."""
    spec, status = item["spec"], item.get("status") or {}
    asked = SigningRequest(
        user=spec.get("username", ""),
        signer=spec["signerName"],
        usages=tuple(spec.get("usages") or ()),
        is_decided=bool(status.get("conditions") or status.get("certificate")),
    )
    try:
        request = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
        return _with_content(asked, request)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        return replace(asked, problem=f"the request cannot be read: {error}")


def _with_content(asked: SigningRequest, request: x509.CertificateSigningRequest) -> SigningRequest:
    if not request.is_signature_valid:
        return replace(asked, problem="the request is not signed by its own key")
    addresses, others = _names(request)
    common_names = _values(request.subject, NameOID.COMMON_NAME)
    return replace(
        asked,
        common_name=common_names[0] if len(common_names) == 1 else "",
        organizations=_values(request.subject, NameOID.ORGANIZATION_NAME),
        addresses=addresses,
        other_names=others,
    )


def _values(name: x509.Name, kind: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(attribute.value) for attribute in name.get_attributes_for_oid(kind))


def _names(request: x509.CertificateSigningRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses among the alternative names, and whatever else is there."""
    try:
        names = list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return (), ()
    addresses = (str(name.value) for name in names if isinstance(name, x509.IPAddress))
    others = (str(name.value) for name in names if not isinstance(name, x509.IPAddress))
    return tuple(addresses), tuple(others)
