"""The Kubernetes client: every refusal is a KubeError of the right kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_operator.kube.client import MERGE, Access, KubeClient
from parkade_operator.kube.errors import Conflict, Gone, KubeError, NotFound, Unavailable, error_of
from support.apiserver import ApiServer, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, KubeClient]]:
    """A server that answers as ordered, and a client for it."""
    async with serving(tmp_path) as pair:
        yield pair


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "", NotFound),
        (409, "", Conflict),
        (410, "", Gone),
        (422, "metadata.uid: Invalid value: field is immutable", Conflict),
        (422, "spec.taints: Invalid value", KubeError),
        (400, "", KubeError),
        (401, "", KubeError),
        (403, "", KubeError),
        (429, "", Unavailable),
        (500, "", Unavailable),
        (503, "", Unavailable),
        (599, "", Unavailable),
        (0, "", Unavailable),
    ],
)
def test_what_a_status_means(status: int, message: str, kind: type[KubeError]) -> None:
    """Gone objects, lost races and "later" are told apart; the rest is a plain refusal."""
    error = error_of(status, "Word", message)
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (status, "Word", message)
    assert str(error) == f"{status} Word: {message}"


@pytest.mark.parametrize(
    ("environment", "server"),
    [
        ({}, "https://kubernetes.default.svc"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "https://10.0.0.1:443"),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"},
            "https://10.0.0.1:6443",
        ),
        ({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, "https://[fd00::1]:443"),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "PARKADE_KUBE_SERVER": "https://here:1"},
            "https://here:1",
        ),
    ],
)
def test_where_the_api_server_is(
    environment: dict[str, str], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own setting comes first, then what the kubelet tells every pod, IPv6 in brackets."""
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "PARKADE_KUBE_SERVER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Access().server == server


async def test_a_refusal_keeps_the_servers_sentence(served: tuple[ApiServer, KubeClient]) -> None:
    """Reason and message are those that kubectl would show."""
    server, client = served
    server.refuse(403, "Forbidden", "pods is forbidden")
    with pytest.raises(KubeError, match="403 Forbidden: pods is forbidden"):
        await client.get("/api/v1/pods")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"404 page not found", NotFound),
        (502, b"<html>bad gateway</html>", Unavailable),
        (520, b"a proxy's own status", Unavailable),
        (500, b'"no object"', Unavailable),
        (500, b"\xff\xfe", Unavailable),
    ],
)
async def test_a_proxy_may_answer_anything(
    served: tuple[ApiServer, KubeClient], status: int, body: bytes, kind: type[KubeError]
) -> None:
    """What is not worded by an API server is a KubeError all the same."""
    server, client = served
    server.answer(body, status=status)
    with pytest.raises(kind) as raised:
        await client.get("/api/v1/pods")
    assert raised.value.message


async def test_an_answer_that_is_no_json_is_no_answer(served: tuple[ApiServer, KubeClient]) -> None:
    """A success whose body cannot be read may be asked for again."""
    server, client = served
    server.answer(b"{broken")
    with pytest.raises(Unavailable, match="NoAnswer"):
        await client.get("/api/v1/pods")


async def test_nobody_at_home(tmp_path: Path) -> None:
    """A refused connection is Unavailable."""
    async with serving(tmp_path) as (_, client):
        pass
    with pytest.raises(Unavailable, match="Unreachable"):
        await client.get("/api/v1/pods")
    await client.close()


async def test_a_delete_names_the_one_object_that_is_meant(served: tuple[ApiServer, KubeClient]) -> None:
    """The uid keeps the deletion off a later object of the same name."""
    server, client = served
    server.answer({}, {})
    await client.delete("/api/v1/pods/a", uid="u1", grace_seconds=0)
    await client.delete("/api/v1/pods/b")
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    assert server.requests("DELETE") == [
        ("/api/v1/pods/a", options | {"preconditions": {"uid": "u1"}, "gracePeriodSeconds": 0}),
        ("/api/v1/pods/b", options),
    ]


async def test_a_patch_is_sent_as_it_is(served: tuple[ApiServer, KubeClient]) -> None:
    """None in a merge patch reaches the server, because it removes a field."""
    server, client = served
    server.answer({"kind": "Node"})
    assert await client.patch("/api/v1/nodes/n", {"a": None}, MERGE, force="true") == {"kind": "Node"}
    assert server.requests("PATCH") == [("/api/v1/nodes/n", {"a": None})]


async def test_the_server_ends_a_watch_before_our_patience_does(served: tuple[ApiServer, KubeClient]) -> None:
    """Otherwise every quiet watch would end as broken and list everything again."""
    server, client = served
    server.watch({"type": "ADDED", "object": {"n": 1}})
    events = [event async for event in client.watch("/api/v1/pods", "5", fieldSelector="a=b")]
    assert events == [{"type": "ADDED", "object": {"n": 1}}]
    (asked,) = [query for _, _, query, _ in server.asked]
    assert asked == {
        "watch": "true",
        "resourceVersion": "5",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "300",
        "fieldSelector": "a=b",
    }


async def test_a_long_line_is_one_event(served: tuple[ApiServer, KubeClient]) -> None:
    """An object of a megabyte, as large as the API server stores, comes through a watch."""
    server, client = served
    server.watch({"type": "ADDED", "object": {"text": "x" * 1_400_000}})
    (event,) = [event async for event in client.watch("/api/v1/pods", "5")]
    assert len(event["object"]["text"]) == 1_400_000


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}, Gone),
        ({"type": "ERROR", "object": {"code": 500, "message": "etcd"}}, Unavailable),
        ({"type": "ERROR", "object": {}}, Unavailable),
        (b'{"type": "ADDED", "obj', Unavailable),
    ],
)
async def test_a_watch_may_break(
    served: tuple[ApiServer, KubeClient], line: dict[str, object] | bytes, kind: type[KubeError]
) -> None:
    """An error within a watch, or half a line, is a KubeError."""
    server, client = served
    server.watch(line)
    with pytest.raises(kind):
        _ = [event async for event in client.watch("/api/v1/pods", "5")]
