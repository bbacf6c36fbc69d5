"""The kubelet's API over real TLS: who gets in, what is asked of the source, what kubectl is shown."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from parkade_core.logs import LogOptions
from parkade_hack.pki import Authority, KeyPair, Subject
from parkade_operator.kubelet import api as kubelet
from parkade_operator.kubelet.api import KubeletApi, Log, NoLogs
from parkade_operator.kubelet.callers import Callers, tls_of
from parkade_operator.kubelet.query import BadQuery, options_of
from support.apiserver import ApiServer, serving
from support.objects import Object, slot_pod

POD = slot_pod()
PATH = f"/containerLogs/team/{POD['metadata']['name']}/runner"
YES = {"status": {"allowed": True}}
NO = {"status": {"allowed": False}}


@dataclass
class Shelf:
    """A source of one pod's log; it keeps what it was asked."""

    parts: list[bytes | Exception] = field(default_factory=lambda: [b"", b"one\n", b"two\n"])
    stays: bool = False
    asked: list[tuple[str, LogOptions]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def find(self, namespace: str, name: str) -> Object | None:
        """The one pod."""
        return POD if (namespace, name) == ("team", POD["metadata"]["name"]) else None

    async def logs(self, pod: Object, container: str, options: LogOptions) -> Log:
        """The parts, one after the other, and then nothing for ever if it stays."""
        assert pod is POD
        self.asked.append((container, options))
        try:
            for part in self.parts:
                if isinstance(part, Exception):
                    raise part
                yield part
            if self.stays:
                await asyncio.Event().wait()
        finally:
            self.left.set()


@dataclass
class Port:
    """An open port, the API server that it asks, and how callers reach it."""

    server: ApiServer
    shelf: Shelf
    url: str
    ca: Authority

    def session(self, certificate: KeyPair | None) -> aiohttp.ClientSession:
        """A client that trusts the port, with that certificate."""
        trust = ssl.create_default_context(cafile=str(self.ca.files.cert))
        if certificate is not None:
            trust.load_cert_chain(certificate.cert, certificate.key)
        return aiohttp.ClientSession(self.url, connector=aiohttp.TCPConnector(ssl=trust))

    def certificate(self, user: str = "kube-apiserver-kubelet-client", group: str = "") -> KeyPair:
        """A client's certificate of the cluster's CA."""
        return self.ca.issue(user or "nobody", Subject(user, group))

    async def get(self, path: str = PATH, **query: str) -> tuple[int, str]:
        """Status and text for the API server's own client."""
        async with self.session(self.certificate()) as client, client.get(path, params=query) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    """The API of a shelf; its API server answers as it is ordered."""
    ca = Authority(tmp_path / "cluster", "cluster")
    own = ca.issue(
        "kubelet", Subject("system:node:x", "system:nodes", addresses=("127.0.0.1",), is_server=True)
    )
    tls = tls_of(ca.files.cert.read_text())
    tls.load_cert_chain(own.cert, own.key)
    async with serving(tmp_path) as (server, client):
        shelf = Shelf()
        api = KubeletApi(shelf, Callers(client))
        number = await api.start("127.0.0.1", 0, tls)
        try:
            yield Port(server, shelf, f"https://127.0.0.1:{number}", ca)
        finally:
            await api.stop()


async def test_a_log_is_streamed_with_the_options_of_its_query(port: Port) -> None:
    """Whatever the API server writes into the query reaches the source; the limit is kept whoever sends more."""
    port.server.answer(YES)
    query = {"tailLines": "5", "timestamps": "true", "previous": "true", "limitBytes": "6", "follow": "false"}
    assert await port.get(**query) == (200, "one\ntw")
    options = LogOptions(previous=True, timestamps=True, tail_lines=5, limit_bytes=6)
    assert port.shelf.asked == [("runner", options)]


async def test_the_right_is_asked_for_the_very_node_and_remembered_for_a_moment(port: Port) -> None:
    """One SubjectAccessReview answers many requests of one caller for one Node."""
    port.server.answer(YES)
    for _ in range(3):
        assert (await port.get())[0] == 200
    ((path, body),) = port.server.requests("POST")
    assert path == "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert body is not None
    assert body["spec"] == {
        "user": "kube-apiserver-kubelet-client",
        "groups": ["system:authenticated"],
        "resourceAttributes": {
            "verb": "get",
            "version": "v1",
            "resource": "nodes",
            "subresource": "proxy",
            "name": "vehicle-v1",
        },
    }


async def test_a_caller_without_the_right_is_refused(port: Port) -> None:
    """403 and a sentence, also when the API server cannot be asked, and no word on whether a pod exists."""
    port.server.answer(NO)
    assert await port.get() == (
        403,
        "kube-apiserver-kubelet-client may not get nodes/proxy of vehicle-v1\n",
    )
    port.server.answer(NO)
    status, text = await port.get("/containerLogs/team/stranger/runner")
    assert (status, "every Node" in text) == (403, True)
    port.server.refuse(503, "Unavailable", "later")
    async with port.session(port.certificate("other")) as client, client.get(PATH) as answer:
        assert answer.status == 403
        assert "cannot be asked" in await answer.text()
    assert port.shelf.asked == []


async def test_without_a_certificate_of_the_cluster_nobody_gets_in(port: Port, tmp_path: Path) -> None:
    """No certificate, or one of another CA, ends the handshake, before a byte of the request is looked at."""
    stranger = Authority(tmp_path / "other", "other").issue("admin", Subject("admin", "system:masters"))
    for certificate in (None, stranger):
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            async with port.session(certificate) as client, client.get(PATH) as answer:
                await answer.read()
    assert port.server.asked == []
    assert port.shelf.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/exec/team/pod/runner", 403, "runs no commands"),
        ("GET", "/attach/team/pod/runner", 403, "runs no commands"),
        ("POST", "/portForward/team/pod", 403, "runs no commands"),
        ("POST", "/run/team/pod/runner", 403, "runs no commands"),
        ("GET", "/pods", 404, ""),
        ("GET", "/metrics", 404, ""),
        ("POST", PATH, 405, ""),
    ],
)
async def test_nothing_but_logs_can_be_had(
    port: Port, method: str, path: str, status: int, words: str
) -> None:
    """Commands are refused in words that kubectl prints; what does not exist is not found."""
    async with port.session(port.certificate()) as client, client.request(method, path) as answer:
        assert answer.status == status
        assert words in await answer.text()


@pytest.mark.parametrize(
    ("query", "parts", "expected"),
    [
        ({}, [NoLogs("vehicle v1 is offline")], (400, "vehicle v1 is offline\n")),
        ({"follow": "true"}, [NoLogs("vehicle v1 is offline")], (200, "vehicle v1 is offline\n")),
        ({}, [b"one\n", NoLogs("it was cut")], (200, "one\nit was cut\n")),
        ({}, [b""], (200, "")),
        ({"tailLines": "-1"}, [], (400, "tailLines must not be negative\n")),
        ({"follow": "perhaps"}, [], (400, "follow must be true or false\n")),
    ],
)
async def test_what_kubectl_is_shown_when_there_is_no_log(
    port: Port, query: dict[str, str], parts: list[bytes | Exception], expected: tuple[int, str]
) -> None:
    """400 keeps the sentence; a follower gets it as a line, because it would repeat a request that failed."""
    port.server.answer(YES)
    port.shelf.parts = parts
    assert await port.get(**query) == expected


async def test_a_follower_that_leaves_ends_its_log(port: Port) -> None:
    """A silent log is not served any longer than its reader stays; what is there arrives at once."""
    port.server.answer(YES)
    port.shelf.stays = True
    async with asyncio.timeout(10):
        async with port.session(port.certificate()) as client, client.get(PATH) as answer:
            assert await answer.content.readline() == b"one\n"
            assert not port.shelf.left.is_set()
        await port.shelf.left.wait()


async def test_more_readers_than_there_are_places_are_told(port: Port) -> None:
    """Every reader costs memory; the next one gets a sentence."""
    port.server.answer(YES)
    port.shelf.stays = True
    async with asyncio.timeout(20), contextlib.AsyncExitStack() as readers:
        client = await readers.enter_async_context(port.session(port.certificate()))
        for _ in range(kubelet.MOST_READERS):
            answer = await readers.enter_async_context(client.get(PATH))
            assert answer.status == 200
        async with client.get(PATH) as refused:
            assert refused.status == 400
            assert "being read already" in await refused.text()


@pytest.mark.parametrize(
    ("query", "since"),
    [
        ({"sinceSeconds": "60"}, 940_000),
        ({"sinceSeconds": "9" * 18}, 0),
        ({"sinceTime": "1970-01-01T00:10:00Z"}, 600_000),
        ({"sinceTime": "1970-01-01T01:10:00.123456789+01:00"}, 600_123),
        ({"sinceTime": "1970-01-01T00:00:01"}, 1_000),
        ({}, None),
    ],
)
def test_since_is_a_moment(query: dict[str, str], since: int | None) -> None:
    """Seconds count from now, times are RFC 3339, and nothing is before 1970."""
    assert options_of(query, 1000.0).since_unix_milliseconds == since


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "many"},
        {"limitBytes": "1e3"},
        {"limitBytes": "9" * 30},
        {"sinceTime": "noon"},
        {"limitBytes": "0"},
        {"sinceSeconds": "-9000000000000000000"},
    ],
)
def test_a_query_of_nonsense_is_refused(query: dict[str, str]) -> None:
    """The sentence names the parameter."""
    with pytest.raises(BadQuery, match=next(iter(query))):
        options_of(query, 1000.0)
