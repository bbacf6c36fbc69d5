"""Which pod a ServiceAccount's token belongs to: the credential of a simulated vehicle, checked by TokenReview."""

from typing import Final

from parkade_api.wellknown import ENROLMENT_AUDIENCE
from parkade_operator.kube.client import KubeClient

_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_MOST_CHARACTERS: Final = 8 * 1024


class NotTheUser(Exception):
    """The token is not one that enrols; the message says what would be."""


class PodReviewer:
    """Accepts tokens of one ServiceAccount alone, for the audience of enrolment alone."""

    def __init__(self, client: KubeClient, user: str) -> None:
        self._client = client
        self._user = user

    async def pod_of(self, token: str) -> str:
        """The name of the pod that the token was issued for. Raises NotTheUser, KubeError."""
        if not self._user:
            raise NotTheUser("this gateway enrols no simulated vehicles")
        if len(token) > _MOST_CHARACTERS:
            raise NotTheUser("that is no ServiceAccount's token")
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [ENROLMENT_AUDIENCE]},
        }
        answer = await self._client.create("/apis/authentication.k8s.io/v1/tokenreviews", review)
        status = answer["status"]
        if not status.get("authenticated") or status["user"]["username"] != self._user:
            raise NotTheUser(
                f"only {self._user} enrols with a ServiceAccount's token, for the audience {ENROLMENT_AUDIENCE}"
            )
        pods = (status["user"].get("extra") or {}).get(_POD_NAME) or []
        if len(pods) != 1:
            raise NotTheUser("the token is bound to no pod")
        return str(pods[0])
