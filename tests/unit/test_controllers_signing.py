"""The operator's approver: what it reads in a request, and what it writes."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from parkade_core.signing import decide
from parkade_operator.controllers.signing import ServingApprover, request_of
from support.apiserver import ApiServer, serving
from support.objects import Object
from support.signing import request_pem, serving_request

GATEWAY = "system:serviceaccount:parkade-system:parkade-gateway"
NAMES = [("O", "system:nodes"), ("CN", "system:node:parkade-gateway")]
PODS = "/api/v1/namespaces/parkade-system/pods"
PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def asked(*addresses: str, name: str = "r1", user: str = GATEWAY) -> Object:
    """A request as the API server shows it."""
    made = serving_request(name, *addresses)
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
    return made | {"metadata": meta, "spec": made["spec"] | {"username": user}}


def pod(address: str, phase: str = "Running") -> Object:
    """A gateway's pod."""
    return {"status": {"phase": phase, "podIPs": [{"ip": address}]}}


@contextlib.asynccontextmanager
async def approving(folder: Path, *requests: Object, node_address: str = "") -> AsyncIterator[ApiServer]:
    """An approver at work over *requests*."""
    async with serving(folder) as (api, client):
        listing = {"kind": "CertificateSigningRequestList", "metadata": {"resourceVersion": "1"}}
        api.answer(listing | {"items": list(requests)})
        approver = ServingApprover(client, "parkade-system", node_address)
        tasks = [asyncio.create_task(part) for part in approver.parts()]
        yield api
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def written(api: ApiServer, count: int = 1) -> list[tuple[str, str, str]]:
    """Path, type and message of the first conditions that are written."""
    async with asyncio.timeout(10):
        while len(patches := api.requests("PATCH")) < count:
            await api.news()
    rows = []
    for path, body in patches:
        assert body is not None
        assert body["metadata"] == {"resourceVersion": "7"}
        (condition,) = body["status"]["conditions"]
        rows.append((path, condition["type"], condition["message"]))
    return rows


@pytest.mark.parametrize(
    ("pods", "node_address", "address", "verdict"),
    [
        ([pod("10.0.0.7"), pod("10.0.0.8")], "", "10.0.0.8", "Approved"),
        ([pod("10.0.0.7")], "127.0.0.1", "127.0.0.1", "Denied"),
        ([pod("10.0.0.7", "Failed")], "127.0.0.1", "10.0.0.7", "Denied"),
        ([], "127.0.0.1", "127.0.0.1", "Approved"),
        ([], "", "127.0.0.1", "Denied"),
    ],
)
async def test_the_gateway_may_serve_where_its_pods_are(
    tmp_path: Path, pods: list[Object], node_address: str, address: str, verdict: str
) -> None:
    """On addresses of its live pods; on the configured one only while there is no pod."""
    async with approving(tmp_path, asked(address), node_address=node_address) as api:
        api.answer({"items": pods}, {})
        ((path, kind, _),) = await written(api)
        assert (path, kind) == (f"{PATH}/r1/approval", verdict)
        query = next(query for _, path, query, _ in api.asked if path == PODS)
        assert query == {"fieldSelector": "spec.serviceAccountName=parkade-gateway"}


async def test_others_and_decided_requests_are_not_even_looked_at(tmp_path: Path) -> None:
    """Only what the gateway asks for and nobody has decided costs a request; what changed meanwhile is told anew."""
    decided = asked("10.0.0.7", name="r2") | {"status": {"conditions": [{"type": "Approved"}]}}
    others = asked("10.0.0.7", name="r3", user="system:serviceaccount:default:default")
    async with approving(tmp_path, others, decided, asked("10.0.0.7")) as api:
        api.answer({"items": [pod("10.0.0.7")]})
        api.refuse(409, "Conflict", "the object has been modified")
        assert [path for path, _, _ in await written(api)] == [f"{PATH}/r1/approval"]
        assert len(api.requests("GET")) == 2


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "cannot be read"),
        ("nothing", "cannot be read"),
        ("tampered", "not signed by its own key"),
        ("dns", "does not serve on parkade-gateway"),
        ("two names", "the subject must be"),
    ],
)
def test_what_a_request_hides_is_seen(pem: str, words: str) -> None:
    """Broken bytes, a stolen key's request, names that are no addresses, and a second subject are denied."""
    key = ec.generate_private_key(ec.SECP256R1())
    if pem == "tampered":
        der = bytearray(base64.b64decode("".join(request_pem(key, NAMES).splitlines()[1:-1])))
        der[-1] ^= 1
        body = base64.encodebytes(bytes(der)).decode()
        pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"
    elif pem == "dns":
        pem = request_pem(key, NAMES, x509.DNSName("parkade-gateway"))
    elif pem == "two names":
        pem = request_pem(key, [*NAMES, ("CN", "system:node:worker-1")])
    item = asked("10.0.0.7")
    item["spec"]["request"] = base64.b64encode(pem.encode()).decode()
    approval = decide(request_of(item), GATEWAY, ["10.0.0.7"])
    assert approval.verdict == "Denied"
    assert words in approval.message
