"""How kopf reaches the API server: our ServiceAccount's token, read again before it can expire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from parkade_operator.kube.client import Access

_TRUSTED = timedelta(seconds=60)


def connection(access: Access) -> kopf.ConnectionInfo:
    """Credentials as they are now; kopf asks again when they expire, so a rotated token is picked up."""
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=str(access.ca_file),
        scheme="Bearer",
        token=access.token(),
        expiration=datetime.now(UTC) + _TRUSTED,
    )


def register(registry: kopf.OperatorRegistry, access: Access) -> None:
    """Makes kopf log in with *access*."""

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(access)
