"""What the process node lays into a pod's folders, and what it reads out of its logs."""

import asyncio
import base64
from pathlib import Path

import pytest

from parkade_agent.runtime.output import ContainerLog
from parkade_core.logs import STAMP_WIDTH, LogOptions
from parkade_hack.node.files import TokenWish, files_of, token_wishes, write_folder
from parkade_hack.node.logs import read_log
from parkade_hack.node.network import NoRoute, endpoints, parse_target
from parkade_hack.node.objects import NotThere, Ref
from parkade_hack.node.volumes import renew_at
from parkade_operator.kubelet.api import NoLogs
from support.objects import Object
from support.pods import pod

SECRET = Ref("secrets", "team", "word")
CONFIG = Ref("configmaps", "team", "map")
OBJECTS: dict[Ref, Object | None] = {
    SECRET: {"data": {"a": base64.b64encode(b"hush").decode(), "b": base64.b64encode(b"!").decode()}},
    CONFIG: {"data": {"ca.crt": "PEM"}},
}
WEB = pod("web", "") | {
    "metadata": {"name": "web", "namespace": "team", "uid": "u", "labels": {"app": "web"}}
}


def seen(folder: Path) -> dict[str, str]:
    """What a program finds in *folder*: names and contents."""
    return {place.name: place.read_text() for place in folder.iterdir() if not place.name.startswith("..")}


def test_a_folder_holds_exactly_the_newest_files(tmp_path: Path) -> None:
    """Names come and go with the object; nothing of an older version is left."""
    write_folder(tmp_path, {"one": b"1", "two": b"2"})
    write_folder(tmp_path, {"two": b"II", "three": b"3"})
    assert seen(tmp_path) == {"two": "II", "three": "3"}
    write_folder(tmp_path, {})
    assert seen(tmp_path) == {}
    assert len(list(tmp_path.iterdir())) == 2  # the link and the one version


def test_a_reader_sees_one_version(tmp_path: Path) -> None:
    """Certificate and key change together: both names go through one link."""
    write_folder(tmp_path, {"tls.crt": b"old", "tls.key": b"old"})
    version = (tmp_path / "..data").resolve()
    assert (tmp_path / "tls.crt").resolve().parent == (tmp_path / "tls.key").resolve().parent == version
    assert (tmp_path / "tls.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("volume", "files"),
    [
        ({"secret": {"secretName": "word"}}, {"a": b"hush", "b": b"!"}),
        ({"secret": {"secretName": "word", "items": [{"key": "a", "path": "x/y"}]}}, {"x/y": b"hush"}),
        ({"configMap": {"name": "map"}}, {"ca.crt": b"PEM"}),
        (
            {"downwardAPI": {"items": [{"path": "who", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"who": b"web"},
        ),
        (
            {"projected": {"sources": [{"configMap": {"name": "map"}}, {"secret": {"name": "word"}}]}},
            {"ca.crt": b"PEM", "a": b"hush", "b": b"!"},
        ),
    ],
)
def test_files_of_a_volume(volume: Object, files: dict[str, bytes]) -> None:
    """Every kind of volume that the API server fills holds what its sources say."""
    assert files_of(WEB, volume, OBJECTS.__getitem__, "", "") == files


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"name": "gone"}, "configmap gone does not exist"),
        ({"name": "map", "items": [{"key": "k", "path": "k"}]}, "map has no key k"),
    ],
)
def test_a_volume_waits_for_its_source(source: Object, sentence: str) -> None:
    """A volume whose source is not there holds its pod up in words; an optional one is empty."""
    objects = OBJECTS | {Ref("configmaps", "team", "gone"): None}
    with pytest.raises(NotThere, match=sentence):
        files_of(WEB, {"configMap": source}, objects.__getitem__, "", "")
    optional = {"configMap": source | {"optional": True}}
    assert files_of(WEB, optional, objects.__getitem__, "", "") == {}


def test_tokens_are_wished_for_and_renewed_early() -> None:
    """A token is renewed when four fifths of its life are over."""
    wanted = {"serviceAccountToken": {"path": "token", "audience": "door", "expirationSeconds": 600}}
    assert token_wishes({"projected": {"sources": [wanted]}}) == [TokenWish("token", "door", 600)]
    assert renew_at(1_000_000.0, "1970-01-12T13:56:40Z") == 1_000_480.0


async def _read(log: ContainerLog, **options: object) -> list[str]:
    chunks = [chunk async for chunk in read_log(log, LogOptions(**options))]  # type: ignore[arg-type]
    return b"".join(chunks).decode().splitlines()


async def test_a_log_is_read_as_asked(tmp_path: Path) -> None:
    """The last lines, the run before, stamps when wanted; a run that never was is refused in words."""
    log = ContainerLog(tmp_path, "main")
    with pytest.raises(NoLogs):
        await _read(log)
    for words in (b"old\n", b"one\ntwo\n"):
        output = log.begin()
        output.write(words)
        output.close()
    assert await _read(log) == ["one", "two"]
    assert await _read(log, tail_lines=1, follow=True) == ["two"]
    assert await _read(log, previous=True) == ["old"]
    (stamped,) = await _read(log, tail_lines=1, timestamps=True)
    assert stamped[STAMP_WIDTH:] == "two"


async def test_a_follower_hears_every_line_once(tmp_path: Path) -> None:
    """Lines that come while a log is followed are sent as they come, until the run ends."""
    log = ContainerLog(tmp_path, "main")
    output = log.begin()
    output.write(b"one\n")
    follower = asyncio.create_task(_read(log, follow=True))
    for word in (b"two\n", b"three\n"):
        await asyncio.sleep(0)
        output.write(word)
    output.close()
    assert await follower == ["one", "two", "three"]


@pytest.mark.parametrize("target", ["a.b.svc:80", "a.b.svc.cluster.local:80"])
def test_a_services_name_is_understood(target: str) -> None:
    """Both spellings that the cluster's DNS would know."""
    assert parse_target(target) == ("a", "b", 80)


@pytest.mark.parametrize("target", ["example.com:443", "a.svc:80", "a.b.svc", "a.b.c.svc:80", ".svc:80", ""])
def test_other_names_have_no_route(target: str) -> None:
    """The proxy leads nowhere but to Services."""
    with pytest.raises(NoRoute):
        parse_target(target)


def test_a_service_without_a_selector_has_no_pods() -> None:
    """Nothing selected must not mean everything."""
    service = {"metadata": {"name": "s", "namespace": "team"}, "spec": {"ports": [{"port": 80}]}}
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "127.1.1.1"}
    web = WEB | {"status": ready}
    with pytest.raises(NoRoute, match="has no ready pod"):
        endpoints(service, 80, [web])
    selecting = service | {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    assert endpoints(selecting, 80, [web]) == [("127.1.1.1", 80)]
