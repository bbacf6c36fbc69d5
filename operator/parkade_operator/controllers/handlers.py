"""kopf's part: it lists and watches; its handlers only hand objects on.

One idempotent reconcile has to run for whatever happened (a change of the object, of a pool, of what the gateway
reports), so no handler does work of its own, and kopf keeps neither finalizers nor annotations.
"""

from collections.abc import Callable
from typing import Any

import kopf

from parkade_api.wellknown import GROUP, VERSION
from parkade_operator.controllers.controllers import Controllers
from parkade_operator.controllers.settings import Settings
from parkade_operator.kube.client import Access


def register(
    registry: kopf.OperatorRegistry, settings: Settings, access: Access, fail: Callable[[], None]
) -> None:
    """All handlers of the operator; *fail* ends the process when a part of it fails."""

    @kopf.on.startup(registry=registry)
    async def start(memo: kopf.Memo, settings: kopf.OperatorSettings, **_: Any) -> None:
        _configure(settings)
        memo.controllers = Controllers(ours, access, fail)
        memo.controllers.start()

    @kopf.on.cleanup(registry=registry)
    async def stop(memo: kopf.Memo, **_: Any) -> None:
        await memo.controllers.stop()

    @kopf.on.event(GROUP, VERSION, "vehiclepools", registry=registry)
    async def see_pool(memo: kopf.Memo, body: kopf.Body, event: kopf.RawEvent, **_: Any) -> None:
        memo.controllers.see_pool(dict(body), exists=event["type"] != "DELETED")

    @kopf.on.event(GROUP, VERSION, "inferencebatches", registry=registry)
    async def see_batch(memo: kopf.Memo, body: kopf.Body, event: kopf.RawEvent, **_: Any) -> None:
        memo.controllers.see_batch(dict(body), exists=event["type"] != "DELETED")

    ours = settings


def _configure(settings: kopf.OperatorSettings) -> None:
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
