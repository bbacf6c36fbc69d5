"""Who calls the internal port: bearer tokens, checked by the API server."""

import hashlib
import time

import grpc
import structlog

from parkade_api.wellknown import GATEWAY_AUDIENCE
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.errors import KubeError

_TRUSTED_SECONDS = 60.0
_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[object, object]


class TokenReviewer:
    """Checks bearer tokens by TokenReview; a yes is trusted for a minute."""

    def __init__(self, client: KubeClient, user: str) -> None:
        self._client = client
        self._user = user
        self._trusted: dict[bytes, float] = {}

    async def admit(self, context: Context) -> None:
        """Returns if the caller is the one user; ends the call otherwise."""
        metadata = dict(context.invocation_metadata() or ())
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        key = hashlib.sha256(token.encode()).digest()
        if self._trusted.get(key, 0.0) > time.monotonic():
            return
        if scheme != "Bearer" or not await self._is_user(token):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"only {self._user} may call this port")
        self._trusted = {key: time.monotonic() + _TRUSTED_SECONDS}

    async def _is_user(self, token: str) -> bool:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [GATEWAY_AUDIENCE]},
        }
        try:
            answer = await self._client.create("/apis/authentication.k8s.io/v1/tokenreviews", review)
        except KubeError as error:
            _log.warning("token not reviewed", error=str(error))
            return False
        status = answer["status"]
        return bool(status.get("authenticated") and status["user"]["username"] == self._user)
