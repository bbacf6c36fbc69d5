"""Every write of operator, gateway and its workers by its kind: requests to the API server, objects, files, folders."""

import re
from collections.abc import Callable, Iterable
from typing import Final

import orjson

from parkade_operator.kube.client import APPLY, KubeClient, Object
from parkade_operator.shards import durable
from parkade_operator.shards.files import FileRoot
from parkade_operator.shards.store import BlockingStore
from support.crashing import Reaper

# A review is asked by POST, but nothing is stored.
_REVIEWS: Final = frozenset({"tokenreviews", "subjectaccessreviews"})
_COLLECTION: Final = re.compile(r"^/(api/v1|apis/[^/]+/[^/]+)/(namespaces/[^/]+/)?")
_KEYS: Final = (
    (re.compile(r"batches/[^/]+/(plan|rejects|manifest)"), r"create \1"),
    (re.compile(r"batches/[^/]+/shards/\d+"), "create shard"),
    (re.compile(r"batches/[^/]+/results/.+"), "create piece"),
    (re.compile(r"bundles/[^/]+/bundle\.json"), "create bundle.json"),
    (re.compile(r"bundles/[^/]+/.+"), "create bundle file"),
)


def wrap(reaper: Reaper) -> None:
    """Has *reaper* asked before and after every write of this process."""
    _wrap_requests(reaper)
    _wrap_creates(reaper)


def kind_of_request(verb: str, path: str, body: Object | None) -> str | None:
    """The kind of a request to the API server; None for one that writes nothing."""
    resource, _, rest = _COLLECTION.sub("", path).partition("/")
    if verb == "GET" or resource in _REVIEWS:
        return None
    part = rest.partition("/")[2]
    if resource == "leases":
        return f"{verb} leases of {'Nodes' if 'kube-node-lease' in path else 'leaders'}"
    if (verb, resource, part) == ("PATCH", "nodes", ""):
        return f"PATCH nodes: {'taints' if 'spec' in (body or {}) else 'labels'}"
    return f"{verb} {resource}/{part}".removesuffix("/")


def kind_of_object(key: str, parts: Iterable[bytes]) -> str | None:
    """The kind of an object of the platform store; None for one that is of no batch."""
    if "/log/" in key and isinstance(parts, tuple):
        header = orjson.loads(parts[0].splitlines()[0])
        return f"create log {header['kind']}"
    return next((pattern.sub(kind, key) for pattern, kind in _KEYS if pattern.fullmatch(key)), None)


def _wrap_requests(reaper: Reaper) -> None:
    send = KubeClient._send

    async def sending(
        self: KubeClient,
        method: str,
        path: str,
        body: Object | None,
        content_type: str,
        query: dict[str, str],
    ) -> Object:
        kind = kind_of_request("APPLY" if content_type == APPLY else method, path, body)
        if kind is not None:
            reaper.reach(kind, "before")
        answer = await send(self, method, path, body, content_type, query)
        if kind is not None:
            reaper.reach(kind, "after")
        return answer

    KubeClient._send = sending  # type: ignore[method-assign]


def _wrap_creates(reaper: Reaper) -> None:
    create, write, make = BlockingStore.create, FileRoot.create, durable._make_folder

    def creating(self: BlockingStore, key: str, parts: Iterable[bytes]) -> None:
        around(kind_of_object(key, parts), lambda: create(self, key, parts))

    def writing(self: FileRoot, namespace: str, uri: str, parts: Iterable[bytes]) -> None:
        around(f"create {uri.rpartition('/')[2]}", lambda: write(self, namespace, uri, parts))

    def making(folder: int, name: str) -> None:
        around("make folder", lambda: make(folder, name))

    def around(kind: str | None, call: Callable[[], None]) -> None:
        if kind is not None:
            reaper.reach(kind, "before")
        call()
        if kind is not None:
            reaper.reach(kind, "after")

    BlockingStore.create = creating  # type: ignore[method-assign]
    FileRoot.create = writing  # type: ignore[method-assign]
    durable._make_folder = making
