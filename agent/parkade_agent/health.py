"""Asks the sidecar on its socket whether it serves (grpc.health.v1)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
STARTING_SECONDS = 0.1
SERVING_SECONDS = 2.0
ANSWER_SECONDS = 5.0


async def follow(socket: Path) -> AsyncIterator[bool]:
    """Whether the sidecar serves: asked often while it does not, seldom while it does."""
    async with grpc.aio.insecure_channel(f"unix:{socket}", options=_OPTIONS) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while True:
            yield (is_serving := await serves(stub))
            await asyncio.sleep(SERVING_SECONDS if is_serving else STARTING_SECONDS)


async def serves(stub: health_pb2_grpc.HealthStub) -> bool:
    """Whether the sidecar says now that it serves; one that does not answer does not."""
    try:
        reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
