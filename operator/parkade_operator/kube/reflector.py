"""Keeps a caller informed of every object of a collection: list, then watch, for ever."""

import asyncio
import random
from collections.abc import Callable

import structlog

from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.errors import Gone, KubeError

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 10.0
_log = structlog.get_logger()


class Reflector:
    """Lists and watches one collection.

    *on_change* hears (object, exists) for every change; after a gap it hears every object that exists, and
    the last known state of every one that went away meanwhile. It must not block.
    """

    def __init__(
        self, client: KubeClient, path: str, on_change: Callable[[Object, bool], None], **selectors: str
    ) -> None:
        self._client = client
        self._path = path
        self._on_change = on_change
        self._selectors = selectors
        self._known: dict[str, Object] = {}
        self._wait = 0.0
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._list_and_watch()
            except Gone:
                self._wait = 0.0
            except KubeError as error:
                self._wait = min(_LONGEST_WAIT, self._wait * 2 or _FIRST_WAIT)
                _log.warning("watch broken", path=self._path, error=str(error), retry_seconds=self._wait)
            await asyncio.sleep(self._wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects

    async def _list_and_watch(self) -> None:
        """Returns never; a watch that told something, or that the server ended, makes the next wait short."""
        listing = await self._client.get(self._path, **self._selectors)
        kind = listing["kind"].removesuffix("List")
        self._replace([{"kind": kind, **item} for item in listing.get("items") or []])
        version = listing["metadata"]["resourceVersion"]
        while True:
            async for event in self._client.watch(self._path, version, **self._selectors):
                version, self._wait = event["object"]["metadata"]["resourceVersion"], 0.0
                if event["type"] != "BOOKMARK":
                    self._take(event["object"], exists=event["type"] != "DELETED")
            self._wait = 0.0

    def _replace(self, objects: list[Object]) -> None:
        listed = {item["metadata"]["uid"] for item in objects}
        for uid in [uid for uid in self._known if uid not in listed]:
            self._take(self._known[uid], exists=False)
        for item in objects:
            self._take(item, exists=True)
        self.synced.set()

    def _take(self, item: Object, *, exists: bool) -> None:
        uid = item["metadata"]["uid"]
        if exists:
            self._known[uid] = item
        else:
            self._known.pop(uid, None)
        self._on_change(item, exists)
