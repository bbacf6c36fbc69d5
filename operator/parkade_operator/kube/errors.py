"""What the API server can answer.

KubeError
├── NotFound      the object is gone
├── Conflict      another writer was first, or the uid is another one
├── Gone          the resource version is too old: list again
└── Unavailable   no answer, or one that says "later"
"""

from http import HTTPStatus


class KubeError(Exception):
    """The API server refused a request: HTTP status, reason word, and its own sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class NotFound(KubeError):
    """404: the object is gone."""


class Conflict(KubeError):
    """409, or 422 because metadata.uid is immutable: what the caller knew is no longer so."""


class Gone(KubeError):
    """410: the resource version is too old."""


class Unavailable(KubeError):
    """No answer, 429 or 5xx: the same request may succeed later."""


def error_of(status: int, reason: str, message: str) -> KubeError:
    """The error for an HTTP status of the API server."""
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and "metadata.uid" in message:
        return Conflict(status, reason, message)
    known: dict[int, type[KubeError]] = {
        HTTPStatus.NOT_FOUND: NotFound,
        HTTPStatus.CONFLICT: Conflict,
        HTTPStatus.GONE: Gone,
        HTTPStatus.TOO_MANY_REQUESTS: Unavailable,
    }
    kind = known.get(
        status, Unavailable if status == 0 or status >= HTTPStatus.INTERNAL_SERVER_ERROR else KubeError
    )
    return kind(status, reason, message)
