"""kopf's part: it lists and watches; its handlers only hand objects on.

One idempotent reconcile has to run for whatever happened (a change of the object, of a pool, of what the gateway
reports), so no handler does work of its own, and kopf keeps neither finalizers nor annotations.
"""

from typing import Any

import kopf

from parkade_api.wellknown import GROUP, VERSION
from parkade_operator.controllers.controllers import Controllers


def register(registry: kopf.OperatorRegistry, controllers: Controllers) -> None:
    """All handlers of the operator."""

    @kopf.on.event(GROUP, VERSION, "vehiclepools", registry=registry)
    async def see_pool(body: kopf.Body, event: kopf.RawEvent, **_: Any) -> None:
        controllers.see_pool(dict(body), exists=event["type"] != "DELETED")

    @kopf.on.event(GROUP, VERSION, "inferencebatches", registry=registry)
    async def see_batch(body: kopf.Body, event: kopf.RawEvent, **_: Any) -> None:
        controllers.see_batch(dict(body), exists=event["type"] != "DELETED")


def settings() -> kopf.OperatorSettings:
    """Kopf with what its handlers here need: no scan for CRDs, no Events of its own, short waits."""
    chosen = kopf.OperatorSettings()
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    return chosen
