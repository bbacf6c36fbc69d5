"""Real gRPC ports on the loopback, and sockets that do not behave."""

import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from cryptography import x509
from typing_extensions import override

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]
Options = tuple[tuple[str, int], ...]


class EchoDoor(rpc.FleetServicer):  # type: ignore[misc] # one call is all that is served
    """Answers every message of a session."""

    @override
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        async for _ in request_iterator:
            yield pb.GatewayMessage()


@contextlib.asynccontextmanager
async def open_port(
    door: rpc.FleetServicer, credentials: grpc.ServerCredentials, options: Options = ()
) -> AsyncIterator[int]:
    """Serves *door* on a free port of the loopback, which is yielded."""
    server = grpc.aio.server(options=options)
    rpc.add_FleetServicer_to_server(door, server)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(grace=None)


def silence(port: int, first: bytes = b"", seconds: float = 20.0) -> float:
    """Connects, sends *first* and nothing more; the seconds until the other side hangs up."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(seconds)
        connection.sendall(first)
        while connection.recv(4096):
            pass
    return time.monotonic() - began


def pem(certificate: bytes) -> x509.Certificate:
    """The certificate in PEM text."""
    return x509.load_pem_x509_certificate(certificate)
