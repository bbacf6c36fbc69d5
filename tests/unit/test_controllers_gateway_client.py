"""The operator's way to the gateway: trusted by the authority that the gateway publishes, whenever that is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.proto.gateway.v1 import gateway_pb2_grpc as rpc
from parkade_hack.pki import Authority, Subject
from parkade_hack.processes import free_port
from parkade_operator.controllers import gateway_client
from parkade_operator.controllers.gateway_client import GatewayClient, GatewayUnavailable
from parkade_operator.controllers.settings import Settings
from support.apiserver import serving
from support.objects import Object

PATIENCE = 20.0


class Gateway(rpc.GatewayServicer):
    """Tells one snapshot and then is silent; takes every plan."""

    @override
    async def Watch(  # type: ignore[override]
        self, request: pb.WatchRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncIterator[pb.Snapshot]:
        """One pool."""
        yield pb.Snapshot(pools=[pb.PoolCounts(name="home")])
        await asyncio.Event().wait()

    @override
    async def Plan(  # type: ignore[override]
        self, request: pb.PlanRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.PlanReply:
        """Yes."""
        return pb.PlanReply()


@contextlib.asynccontextmanager
async def gateway(authority: Authority, port: int) -> AsyncIterator[None]:
    """A gateway on *port* with a certificate of *authority*."""
    pair = authority.issue("gateway", Subject("gateway", dns=("localhost",), is_server=True))
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    rpc.add_GatewayServicer_to_server(Gateway(), server)
    credentials = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.cert.read_bytes())])
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def config_map(authority: Authority | None) -> Object:
    """What the gateway publishes; nothing before the first one leads."""
    return {"data": {"ca.crt": authority.files.cert.read_text()}} if authority else {}


async def test_a_gateway_is_trusted_once_it_is_published_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty ConfigMap is waited for; after a loss it is read again, so a new authority is no end."""
    monkeypatch.setattr(gateway_client, "_FIRST_WAIT", 0.05)
    first, second = Authority(tmp_path / "first", "first"), Authority(tmp_path / "second", "second")
    port = free_port()
    (tmp_path / "token").write_text("t")
    settings = Settings(gateway_address=f"localhost:{port}", gateway_token_file=tmp_path / "token")
    async with serving(tmp_path) as (api, client), asyncio.timeout(PATIENCE):
        gate = GatewayClient(settings, client)
        changed: asyncio.Queue[bool] = asyncio.Queue()
        api.answer(config_map(None), config_map(first))
        with pytest.raises(GatewayUnavailable, match="no connection"):
            await gate.plan(pb.PlanRequest())
        following = asyncio.create_task(gate.follow(lambda: changed.put_nowait(gate.latest is not None)))
        async with gateway(first, port):
            while not await changed.get():
                pass
            await gate.plan(pb.PlanRequest())
            api.answer(*[config_map(second)] * 100)
        while await changed.get():
            pass
        async with gateway(second, port):
            while not await changed.get():
                pass
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await gate.close()
    assert {path for path, _ in api.requests("GET")} == {
        "/api/v1/namespaces/parkade-system/configmaps/parkade-gateway-ca"
    }
