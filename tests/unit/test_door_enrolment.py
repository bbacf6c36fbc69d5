"""Tickets in their Secret, and revocations in their ConfigMap, against an API server that answers as ordered."""

import asyncio
import base64
import math
import time
from pathlib import Path

import pytest

from parkade_core.enrolment import Ticket, read_ticket, ticket_key, ticket_text
from parkade_operator.door.notices import Notices
from parkade_operator.door.revocation import Revocations, moments_of
from parkade_operator.door.service_accounts import NotTheUser, PodReviewer
from parkade_operator.door.tickets import TicketRefused, Tickets
from parkade_operator.kube.events import EventRecorder
from support.apiserver import ApiServer, serving
from support.objects import Object

SECRET = "s3cret"  # noqa: S105 - of a test
USER = "system:serviceaccount:parkade-system:parkade-simulation"


def kept(ticket: Ticket | str, version: str = "7") -> Object:
    """The Secret of tickets with one of them."""
    text = ticket if isinstance(ticket, str) else ticket_text(ticket)
    data = {ticket_key(SECRET): base64.b64encode(text.encode()).decode()}
    return {"metadata": {"resourceVersion": version}, "data": data}


def fresh(used_by: str = "") -> Ticket:
    """A ticket that is good for another minute."""
    return Ticket("ada", {"region": "eu"}, time.time() + 60, used_by)


def written(server: ApiServer) -> list[Object]:
    """The bodies of all patches."""
    return [body for _, body in server.requests("PATCH") if body is not None]


async def test_a_ticket_is_marked_before_it_is_honoured(tmp_path: Path) -> None:
    """The mark is guarded by the version that was judged, and names the key."""
    async with serving(tmp_path) as (server, client):
        server.answer(kept(fresh()), {})
        assert (await Tickets(client, "ns").redeem(SECRET, "key-1", {})).vehicle == "ada"
        (body,) = written(server)
    assert body["metadata"] == {"resourceVersion": "7"}
    marked = read_ticket(base64.b64decode(body["data"][ticket_key(SECRET)]))
    assert marked is not None
    assert marked.used_by == "key-1"


async def test_who_loses_the_race_for_a_token_is_refused(tmp_path: Path) -> None:
    """Two keys with one token at the same moment: the second write fails, and the second look says why."""
    async with serving(tmp_path) as (server, client):
        server.answer(kept(fresh()))
        server.refuse(409, "Conflict", "the object has been modified")
        server.answer(kept(fresh(used_by="key-2"), version="8"))
        with pytest.raises(TicketRefused, match="already used by another key"):
            await Tickets(client, "ns").redeem(SECRET, "key-1", {})


async def test_a_lost_answer_costs_nothing(tmp_path: Path) -> None:
    """The same key asks again and is served without another write."""
    async with serving(tmp_path) as (server, client):
        server.answer(kept(fresh(used_by="key-1")))
        assert (await Tickets(client, "ns").redeem(SECRET, "key-1", {})).vehicle == "ada"
        assert written(server) == []


async def test_a_moment_that_nobody_can_read_uses_no_ticket_up(tmp_path: Path) -> None:
    """Such a vehicle cannot be enrolled; whoever corrects the moment can use the same token then."""
    async with serving(tmp_path) as (server, client):
        server.answer(kept(fresh()))
        with pytest.raises(TicketRefused, match=r"ada is revoked for good.*ConfigMap parkade-revoked"):
            await Tickets(client, "ns").redeem(SECRET, "key-1", {"ada": math.inf})
        assert written(server) == []


@pytest.mark.parametrize("damaged", ["", "{}", "not JSON"])
async def test_nonsense_in_the_secret_enrols_nobody(tmp_path: Path, damaged: str) -> None:
    """It is refused as unknown, and swept away."""
    async with serving(tmp_path) as (server, client):
        server.answer(kept(damaged))
        with pytest.raises(TicketRefused, match="not known here"):
            await Tickets(client, "ns").redeem(SECRET, "key-1", {})
        server.answer(kept(damaged), {})
        sweeping = asyncio.create_task(Tickets(client, "ns").sweep())
        while not written(server):
            await server.news()
        sweeping.cancel()
        assert written(server)[0]["data"] == {ticket_key(SECRET): None}


def test_moments_are_read_as_people_write_them() -> None:
    """RFC 3339 with any offset; what cannot be read revokes for good, because somebody meant to revoke."""
    data = {
        "a": "2026-11-22T09:00:00Z",
        "b": "2026-11-22T10:00:00+01:00",
        "c": "now",
        "d": "2026-11-22T09:00:00",
    }
    moments = moments_of({"data": data})
    assert moments["a"] == moments["b"] == moments["d"] == 1795338000
    assert math.isinf(moments["c"])
    assert moments_of({}) == {}


async def test_a_deleted_list_lets_nobody_in_again(tmp_path: Path) -> None:
    """Its deletion changes nothing; only a list without the vehicle does."""
    config_map = {
        "kind": "ConfigMap",
        "metadata": {"uid": "u", "name": "parkade-revoked", "resourceVersion": "2"},
        "data": {"ada": "2026-11-22T09:00:00Z"},
    }
    seen: asyncio.Queue[int] = asyncio.Queue()
    async with serving(tmp_path) as (server, client):
        server.answer({"kind": "ConfigMapList", "metadata": {"resourceVersion": "1"}, "items": [config_map]})
        empty = config_map | {"data": {}}
        server.watch({"type": "DELETED", "object": config_map}, {"type": "ADDED", "object": empty})
        revocations = Revocations(client, "ns", lambda: seen.put_nowait(len(revocations.moments)))
        watching = asyncio.create_task(revocations.watch())
        assert [await asyncio.wait_for(seen.get(), 10) for _ in range(2)] == [1, 0]
        watching.cancel()
    assert seen.empty()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"authenticated": False}, "only system:serviceaccount"),
        ({"authenticated": True, "user": {"username": "system:admin"}}, "only system:serviceaccount"),
        ({"authenticated": True, "user": {"username": USER}}, "bound to no pod"),
    ],
)
async def test_a_token_of_another_enrols_nobody(tmp_path: Path, status: Object, words: str) -> None:
    """The API server says whose token it is; only a pod of the one ServiceAccount counts."""
    async with serving(tmp_path) as (server, client):
        server.answer({"status": status})
        with pytest.raises(NotTheUser, match=words):
            await PodReviewer(client, USER).pod_of("token")
        with pytest.raises(NotTheUser, match="no simulated vehicles"):
            await PodReviewer(client, "").pod_of("token")
        with pytest.raises(NotTheUser, match="no ServiceAccount's token"):
            await PodReviewer(client, USER).pod_of("x" * 10_000)
        assert len(server.asked) == 1


async def test_events_about_a_vehicle_are_few(tmp_path: Path) -> None:
    """However often something happens, a vehicle has one Event of it in ten minutes; others have theirs."""
    now = 0.0
    node = {"metadata": {"name": "vehicle-ada", "uid": "u"}}
    async with serving(tmp_path) as (server, client):
        server.answer(*[{}] * 5)
        notices = Notices(EventRecorder(client, "test"), {"ada": node, "bob": node}.get, lambda: now)
        working = asyncio.create_task(notices.work())
        for vehicle in ("ada", "bob", "unknown"):
            for _ in range(50):
                notices.warn(vehicle, "SessionReplaced", f"of {vehicle}")
        now = 601.0
        notices.warn("ada", "SessionReplaced", "of ada again")
        while len(server.asked) < 3:
            await server.news()
        working.cancel()
    assert [body["message"] for _, body in server.requests("POST") if body] == [
        "of ada",
        "of bob",
        "of ada again",
    ]
