"""What a new leading gateway does before and after its ports open: it has the authority, and everybody finds it."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import new_authority
from parkade_operator.gateway import leading
from parkade_operator.gateway.settings import Settings
from parkade_operator.kube.client import KubeClient
from support.apiserver import ApiServer, serving
from support.objects import Object

PODS = "/api/v1/namespaces/parkade-system/pods"
SECRET = "/api/v1/namespaces/parkade-system/secrets/parkade-gateway-ca"  # noqa: S105 - a path
PAIR = new_authority(datetime.now(UTC))


@pytest.fixture
async def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ApiServer, KubeClient]]:
    """A server that answers as ordered, and no patience."""
    monkeypatch.setattr(leading, "_RETRY_SECONDS", 0.01)
    async with serving(tmp_path) as pair:
        yield pair


def settings(**more: str) -> Settings:
    """A gateway's, as the chart sets them."""
    return Settings(
        platform_store="file:///store", door_names="parkade-gateway.parkade-system.svc,10.0.0.7", **more
    )  # type: ignore[arg-type]


def secret() -> Object:
    """The authority's Secret as an earlier gateway filled it."""
    data = {"tls.crt": PAIR.certificate, "tls.key": PAIR.key}
    encoded = {name: base64.b64encode(pem).decode() for name, pem in data.items()}
    return {"metadata": {"resourceVersion": "1"}, "data": encoded}


async def test_the_authority_is_waited_for(served: tuple[ApiServer, KubeClient]) -> None:
    """An API server that is away is asked again."""
    api, client = served
    api.refuse(503, "ServiceUnavailable", "later")
    api.answer(secret())
    authority = await leading.fetch_authority(client, settings(), asyncio.Event())
    assert authority is not None
    assert authority.certificate == PAIR.certificate
    assert api.requests("GET") == [(SECRET, None)] * 2


async def test_who_is_told_to_stop_waits_no_more(served: tuple[ApiServer, KubeClient]) -> None:
    """A gateway that never got its authority ends as told."""
    _, client = served
    stopping = asyncio.Event()
    stopping.set()
    assert await leading.fetch_authority(client, settings(), stopping) is None


async def test_everybody_finds_the_leader(served: tuple[ApiServer, KubeClient]) -> None:
    """Authority and addresses are published; the label leaves the pod before and comes to ours."""
    api, client = served
    labelled = {"name": "gateway-b", "labels": {"parkade.dev/leader": "true"}}
    api.answer({}, {}, {"items": [{"metadata": {"name": "gateway-a"}}, {"metadata": labelled}]}, {}, {})
    authority = Authority(PAIR, ("localhost",))
    showing = asyncio.create_task(leading.keep_visible(client, settings(pod_name="gateway-a"), authority))
    while len(api.asked) < 5:
        await api.news()
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)
    published, off, on = (body for _, body in api.requests("PATCH"))
    name = "parkade-gateway.parkade-system.svc"
    assert published is not None
    assert published["data"] == {
        "ca.crt": PAIR.certificate.decode(),
        "door": f"{name}:8443",
        "enrolment": f"{name}:8444",
    }
    assert [path for path, _ in api.requests("PATCH")][1:] == [f"{PODS}/gateway-b", f"{PODS}/gateway-a"]
    assert off == {"metadata": {"labels": {"parkade.dev/leader": None}}}
    assert on == {"metadata": {"labels": {"parkade.dev/leader": "true"}}}


async def test_a_process_that_is_no_pod_labels_none(served: tuple[ApiServer, KubeClient]) -> None:
    """On a cluster of local processes only the authority is published; after a refusal it is tried again."""
    api, client = served
    api.refuse(503, "ServiceUnavailable", "later")
    api.answer({}, {})
    authority = Authority(PAIR, ("localhost",))
    showing = asyncio.create_task(leading.keep_visible(client, settings(), authority))
    while len(api.asked) < 3:
        await api.news()
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)
    assert [verb for verb, *_ in api.asked] == ["GET", "GET", "PATCH"]
