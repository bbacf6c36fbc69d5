"""Who calls the kubelet's API: a client certificate of the cluster's CA, and rights that the API server answers for."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.errors import KubeError

_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_CLIENT_CA = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
_ALLOWED_SECONDS = 60.0
_DENIED_SECONDS = 5.0
_MOST_ANSWERS = 1024


class NotAllowed(Exception):
    """The caller may not do this; the text says who may not do what."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The user and groups that a verified client certificate names."""

    user: str
    groups: tuple[str, ...]


def caller_of(request: web.Request) -> Caller:
    """Whose certificate TLS has verified. Raises NotAllowed when it names nobody."""
    certificate: dict[str, Any] = (request.get_extra_info("peercert") if request.transport else None) or {}
    parts = [pair for part in certificate.get("subject", ()) for pair in part]
    users = [value for name, value in parts if name == "commonName"]
    if len(users) != 1 or not users[0]:
        raise NotAllowed("the client certificate names no user")
    groups = (value for name, value in parts if name == "organizationName")
    return Caller(users[0], (*groups, "system:authenticated"))


async def client_ca(client: KubeClient) -> str:
    """The certificates (PEM) by which this cluster verifies its clients. Raises KubeError."""
    data = (await client.get(_CLIENT_CA)).get("data") or {}
    if not (found := data.get("client-ca-file", "")):
        raise KubeError(0, "NoClientCA", "extension-apiserver-authentication names no client-ca-file")
    return str(found)


def tls_of(ca: str) -> ssl.SSLContext:
    """A server's context that lets nobody in without a client certificate of *ca*; it has no certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca)
    return context


class Callers:
    """Asks the API server by SubjectAccessReview, as every kubelet does, and trusts its answers for a little while."""

    def __init__(self, client: KubeClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._answers: dict[tuple[Caller, str], tuple[bool, float]] = {}  # until when

    async def admit(self, caller: Caller, node: str) -> None:
        """Returns if *caller* may get `nodes/proxy` of *node*, or of every Node when it is "". Raises NotAllowed."""
        allowed, until = self._answers.get((caller, node), (False, 0.0))
        if until <= self._clock():
            allowed = await self._ask(caller, node)
        if not allowed:
            raise NotAllowed(f"{caller.user} may not get nodes/proxy of {node or 'every Node'}")

    async def _ask(self, caller: Caller, node: str) -> bool:
        right = {"verb": "get", "version": "v1", "resource": "nodes", "subresource": "proxy", "name": node}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": caller.user, "groups": list(caller.groups), "resourceAttributes": right},
        }
        try:
            answer = await self._client.create(_REVIEWS, review)
        except KubeError as error:
            raise NotAllowed(
                f"the API server cannot be asked for the rights of {caller.user}: {error}"
            ) from error
        allowed = bool(answer.get("status", {}).get("allowed"))
        self._remember((caller, node), allowed=allowed)
        return allowed

    def _remember(self, key: tuple[Caller, str], *, allowed: bool) -> None:
        now = self._clock()
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers = {known: answer for known, answer in self._answers.items() if answer[1] > now}
        if len(self._answers) < _MOST_ANSWERS:
            self._answers[key] = allowed, now + (_ALLOWED_SECONDS if allowed else _DENIED_SECONDS)
