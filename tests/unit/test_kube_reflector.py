"""A reflector keeps its caller informed of every object, whatever happens to its watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.reflector import Reflector
from support.apiserver import ApiServer, serving
from support.objects import Object

PATIENCE = 10.0
GONE: Object = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}


@dataclass
class Hearing:
    """A running reflector, and what it told."""

    server: ApiServer
    reflector: Reflector
    told: asyncio.Queue[tuple[str, bool]] = field(default_factory=asyncio.Queue)

    async def hears(self, *expected: tuple[str, bool]) -> None:
        """Returns when exactly *expected* was told next: (name and version, exists)."""
        async with asyncio.timeout(PATIENCE):
            assert [await self.told.get() for _ in expected] == list(expected)

    async def watches_from(self, *versions: str) -> None:
        """Returns when watches from exactly these versions have begun next."""
        async with asyncio.timeout(PATIENCE):
            assert [await self.server.watched_from.get() for _ in versions] == list(versions)


def pod(name: str, version: int) -> Object:
    """A pod; lists leave its kind out, as the API server's do."""
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}


def listing(version: int, *items: Object) -> Object:
    """A list of pods."""
    return {"kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": list(items)}


def event(kind: str, name: str, version: int) -> Object:
    """A watch event."""
    return {"type": kind, "object": {"kind": "Pod"} | pod(name, version)}


@contextlib.asynccontextmanager
async def hearing(server: ApiServer, client: KubeClient) -> AsyncIterator[Hearing]:
    """Runs a reflector over what *server* was ordered to tell."""

    def hear(item: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        assert item["kind"] == "Pod"
        meta = item["metadata"]
        heard.told.put_nowait((f"{meta['name']}@{meta['resourceVersion']}", exists))

    heard = Hearing(server, Reflector(client, "/api/v1/pods", hear, labelSelector="x"))
    running = asyncio.create_task(heard.reflector.run())
    try:
        yield heard
        assert heard.told.empty()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, KubeClient]]:
    """A server that answers as ordered, and a client for it."""
    async with serving(tmp_path) as pair:
        yield pair


async def test_a_watch_goes_on_where_the_last_one_ended(served: tuple[ApiServer, KubeClient]) -> None:
    """The server ends watches as a matter of course; nothing is listed again, and bookmarks move the version."""
    server, client = served
    server.answer(listing(5, pod("a", 3)))
    server.watch(event("ADDED", "b", 6), event("BOOKMARK", "", 9))
    server.watch(event("MODIFIED", "a", 10), event("DELETED", "b", 11))
    async with hearing(server, client) as heard:
        await heard.hears(("a@3", True), ("b@6", True), ("a@10", True), ("b@11", False))
        await heard.watches_from("5", "9", "11")
        assert heard.reflector.synced.is_set()
    assert [query for _, _, query, _ in server.asked if "watch" not in query] == [{"labelSelector": "x"}]


@pytest.mark.parametrize("how", ["event", "status"])
async def test_a_version_that_is_too_old_means_list_again(
    served: tuple[ApiServer, KubeClient], how: str
) -> None:
    """After a gap the caller hears what vanished with its last known state, then everything that exists."""
    server, client = served
    server.answer(listing(5, pod("stays", 1), pod("vanishes", 2)))
    server.answer(listing(50, pod("stays", 40), pod("new", 41)))
    server.watch(event("MODIFIED", "vanishes", 6), *([GONE] if how == "event" else []))
    if how == "status":
        server.watch(status=410)
    async with hearing(server, client) as heard:
        await heard.hears(("stays@1", True), ("vanishes@2", True), ("vanishes@6", True))
        await heard.hears(("vanishes@6", False), ("stays@40", True), ("new@41", True))
        await heard.watches_from("5", *(["6"] if how == "status" else []), "50")


async def test_a_new_object_of_an_old_name_is_another_object(served: tuple[ApiServer, KubeClient]) -> None:
    """Objects are known by uid: one that was deleted and made again during a gap was gone."""
    server, client = served
    server.answer(listing(5, pod("a", 3)))
    again = {"metadata": pod("a", 8)["metadata"] | {"uid": "another"}}
    server.answer(listing(9, again))
    server.watch(GONE)
    async with hearing(server, client) as heard:
        await heard.hears(("a@3", True), ("a@3", False), ("a@8", True))


async def test_it_is_not_synced_before_the_first_list(served: tuple[ApiServer, KubeClient]) -> None:
    """A server that refuses is asked again; only a list makes the reflector synced."""
    server, client = served
    server.refuse(503, "ServiceUnavailable", "starting")
    server.answer(listing(5))
    with capture_logs() as logs:
        async with hearing(server, client) as heard:
            assert not heard.reflector.synced.is_set()
            await heard.watches_from("5")
            assert heard.reflector.synced.is_set()
    assert [entry["retry_seconds"] for entry in logs if entry["event"] == "watch broken"] == [0.5]


async def test_patience_grows_only_while_nothing_is_told(served: tuple[ApiServer, KubeClient]) -> None:
    """A watch that breaks now and then is taken up again soon, however often it broke in the past."""
    server, client = served
    server.refuse(503, "ServiceUnavailable", "starting")
    server.answer(*(listing(5) for _ in range(4)))
    server.watch(b"{broken")
    server.watch(event("ADDED", "a", 6), b"{broken")
    server.watch(event("ADDED", "b", 7), b"{broken")
    with capture_logs() as logs:
        async with hearing(server, client) as heard:
            await heard.hears(("a@6", True), ("a@6", False), ("b@7", True), ("b@7", False))
    assert [entry["retry_seconds"] for entry in logs if entry["event"] == "watch broken"] == [
        0.5,
        1.0,
        0.5,
        0.5,
    ]
