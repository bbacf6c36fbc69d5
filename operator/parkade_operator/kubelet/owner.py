"""The object that owns a kubelet's Nodes, so that they go when it goes."""

import time
from collections.abc import Callable

import structlog

from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.errors import KubeError, NotFound

_FRESH_SECONDS = 30.0
_log = structlog.get_logger()


class Owner:
    """A cluster-scoped object by its API path. The garbage collector deletes what it owns when it is deleted."""

    def __init__(self, client: KubeClient, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._path = path
        self._clock = clock
        self._reference: Object | None = None
        self._read_at: float | None = None
        self._is_missed = False

    async def reference(self) -> Object | None:
        """Read now: how dependents refer to the owner, None when it is gone or cannot be read.

        Who may not read it any more has lost its role with it, so the two are not told apart.
        """
        self._read_at = self._clock()
        try:
            found = await self._client.get(self._path)
        except NotFound as error:
            self._reference = None
            self._miss(error)
        except KubeError as error:
            self._miss(error)
            return None
        else:
            self._reference = None if "deletionTimestamp" in found["metadata"] else _reference(found)
            self._is_missed = False
        return self._reference

    async def recent(self) -> Object | None:
        """The same as it was some seconds ago, for what exists already; a failed read is not repeated at once."""
        if self._read_at is None or self._clock() - self._read_at > _FRESH_SECONDS:
            await self.reference()
        return self._reference

    def _miss(self, error: KubeError) -> None:
        if not self._is_missed:
            self._is_missed = True
            _log.warning(
                "the owner of the Nodes is gone: no Node is made", owner=self._path, error=str(error)
            )


def _reference(owner: Object) -> Object:
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
