"""Keeps a caller informed of every object of a collection: list, then watch, for ever."""

import asyncio
import random
from collections.abc import Callable

import structlog

from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.errors import Gone, KubeError

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 10.0
_TOLD_AT_ONCE = 100  # others in the event loop have their turn in between
_log = structlog.get_logger()


class Reflector:
    """Lists and watches one collection.

    *on_change* hears (object, exists) for every change; after a gap it hears every object that exists, and
    the last known state of every one that went away meanwhile. It must not block.

    Objects of which *keep* says no count as not there: a selector of the API server cannot say everything, and what
    is nobody's here shall cost no memory. Nobody is shown managedFields, which are half of a small object.
    """

    def __init__(
        self,
        client: KubeClient,
        path: str,
        on_change: Callable[[Object, bool], None],
        keep: Callable[[Object], bool] = lambda _: True,
        /,
        **selectors: str,
    ) -> None:
        self._client = client
        self._path = path
        self._on_change = on_change
        self._keep = keep
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
        version = await self._list()
        while True:
            async for event in self._client.watch(self._path, version, **self._selectors):
                version, self._wait = event["object"]["metadata"]["resourceVersion"], 0.0
                if event["type"] != "BOOKMARK":
                    self._take(_without_managers(event["object"]), exists=event["type"] != "DELETED")
            self._wait = 0.0

    async def _list(self) -> str:
        """Tells of everything, and returns the version that the list shows. Raises KubeError.

        Nothing is told before the last page: what went away is told first, and only that page shows what did.
        """
        found: dict[str, Object] = {}
        version = ""
        async for page in self._client.pages(self._path, **self._selectors):
            kind, version = page["kind"].removesuffix("List"), page["metadata"]["resourceVersion"]
            kept = [item for item in page.get("items") or [] if self._keep(item)]
            found |= {item["metadata"]["uid"]: self._once({"kind": kind, **item}) for item in kept}
        await self._tell([item for uid, item in self._known.items() if uid not in found], exists=False)
        await self._tell(list(found.values()), exists=True)
        self.synced.set()
        return version

    def _once(self, item: Object) -> Object:
        """What was listed; where it is known already the object in memory, so that no list holds everything twice."""
        known = self._known.get(item["metadata"]["uid"])
        is_same = known and known["metadata"]["resourceVersion"] == item["metadata"]["resourceVersion"]
        return known if known and is_same else _without_managers(item)

    async def _tell(self, items: list[Object], *, exists: bool) -> None:
        for number, item in enumerate(items, 1):
            self._take(item, exists=exists)
            if number % _TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _take(self, item: Object, *, exists: bool) -> None:
        uid = item["metadata"]["uid"]
        if exists and self._keep(item):
            self._known[uid] = item
            self._on_change(item, True)
        elif self._known.pop(uid, None) is not None:
            self._on_change(item, False)


def _without_managers(item: Object) -> Object:
    item["metadata"].pop("managedFields", None)
    return item
