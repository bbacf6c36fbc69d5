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
STRANGE = {"whose": "somebody else's"}
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


def listing(version: int, *items: Object, rest: str = "") -> Object:
    """A list of pods; *rest* is the token by which its next page is asked for."""
    meta = {"resourceVersion": str(version)} | ({"continue": rest} if rest else {})
    return {"kind": "PodList", "metadata": meta, "items": list(items)}


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

    def keep(item: Object) -> bool:
        return item["metadata"].get("labels") != STRANGE

    heard = Hearing(server, Reflector(client, "/api/v1/pods", hear, keep, labelSelector="x"))
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
    assert lists(server) == [{}]


def lists(server: ApiServer) -> list[Object]:
    """What each list was asked for, beside the selector and the size of a page."""
    asked = [query for _, _, query, _ in server.asked if "watch" not in query]
    assert all(query.pop("labelSelector") == "x" and int(query.pop("limit")) > 0 for query in asked)
    return asked


async def test_a_long_list_comes_in_pages(served: tuple[ApiServer, KubeClient]) -> None:
    """What was on the first page is told with the last one; only then is it known what vanished."""
    server, client = served
    server.answer(listing(5, pod("vanishes", 1)), listing(7, pod("a", 3), rest="t"), listing(7, pod("b", 4)))
    server.watch(GONE)
    async with hearing(server, client) as heard:
        await heard.hears(("vanishes@1", True), ("vanishes@1", False), ("a@3", True), ("b@4", True))
        await heard.watches_from("5", "7")
    assert lists(server) == [{}, {}, {"continue": "t"}]


async def test_a_list_whose_next_page_is_forgotten_begins_anew(served: tuple[ApiServer, KubeClient]) -> None:
    """The API server forgets a list after some minutes; half of one tells nothing."""
    server, client = served
    server.answer(listing(5, pod("a", 3), rest="t"))
    server.refuse(410, "Expired", "The provided continue parameter is too old")
    server.answer(listing(9, pod("b", 8)))
    async with hearing(server, client) as heard:
        await heard.hears(("b@8", True))
        await heard.watches_from("9")
    assert lists(server) == [{}, {"continue": "t"}, {}]


async def test_what_is_not_kept_is_not_there(served: tuple[ApiServer, KubeClient]) -> None:
    """Others' objects are neither told nor remembered; one that becomes another's is gone."""
    server, client = served
    others = {"metadata": pod("c", 2)["metadata"] | {"labels": STRANGE}}
    server.answer(listing(5, pod("a", 3), others))
    leaves = event("MODIFIED", "a", 6)
    leaves["object"]["metadata"]["labels"] = STRANGE
    server.watch({"type": "DELETED", "object": others}, leaves, event("ADDED", "b", 7))
    async with hearing(server, client) as heard:
        await heard.hears(("a@3", True), ("a@6", False), ("b@7", True))
        assert set(heard.reflector._known) == {"uid-b"}


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
