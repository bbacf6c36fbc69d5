"""The local network: an HTTP CONNECT proxy that knows the Services of the cluster, as DNS and kube-proxy would.

gRPC and most HTTP clients take it from `https_proxy`. A name that is no Service is refused. It holds only programs that
follow that variable: all processes share the host's network.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from itertools import count

import structlog

from parkade_core.kubelet.pod import Object
from parkade_hack.node.probes import port_number
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.reflector import Reflector

_BUFFER_BYTES = 64 * 1024
_HEAD_SECONDS = 10.0
_SUFFIXES = (".cluster.local", ".svc")
_log = structlog.get_logger()


class NoRoute(Exception):
    """Nobody answers for that name; the text says why."""


def parse_target(target: str) -> tuple[str, str, int]:
    """Service, namespace and port of `<service>.<namespace>.svc[.cluster.local]:<port>`. Raises NoRoute."""
    host, _, port = target.rpartition(":")
    name = host
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    service, _, namespace = name.partition(".")
    if not name or name == host or not namespace or "." in namespace or not port.isdigit():
        raise NoRoute(f"{target} is no Service of this cluster: <service>.<namespace>.svc:<port>")
    return service, namespace, int(port)


def is_ready(pod: Object) -> bool:
    """Whether a Service sends connections to *pod*."""
    conditions = pod.get("status", {}).get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def endpoints(service: Object, port: int, pods: Iterable[Object]) -> list[tuple[str, int]]:
    """Address and port of every ready pod that *service* selects. Raises NoRoute."""
    meta, spec = service["metadata"], service["spec"]
    name = f"{meta['name']}.{meta['namespace']}"
    wanted = next((item for item in spec.get("ports") or [] if item["port"] == port), None)
    if wanted is None:
        raise NoRoute(f"Service {name} has no port {port}")
    selector = spec.get("selector") or {}
    found = [
        pod
        for pod in pods
        if pod["metadata"]["namespace"] == meta["namespace"]
        and selector.items() <= (pod["metadata"].get("labels") or {}).items()
        and is_ready(pod)
    ]
    if not selector or not found:
        raise NoRoute(f"Service {name} has no ready pod")
    return [(pod["status"]["podIP"], _target_port(pod, wanted)) for pod in found]


def _target_port(pod: Object, wanted: Object) -> int:
    target: int | str = wanted.get("targetPort") or wanted["port"]
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]
    try:
        return port_number({"ports": ports}, target)
    except KeyError:
        raise NoRoute(f"pod {pod['metadata']['name']} has no port {target}") from None


class Network:
    """The proxy on one port of the loopback; *pods* are those that a Service may reach."""

    def __init__(self, client: KubeClient, pods: Callable[[], Iterable[Object]]) -> None:
        self._pods = pods
        self._services: dict[tuple[str, str], Object] = {}
        self._turns = count()
        self._reflector = Reflector(client, "/api/v1/services", self._take)

    async def serve(self, address: str, port: int) -> None:
        """Serves until cancelled. Raises OSError when the port is taken."""
        server = await asyncio.start_server(self._connection, address, port)
        async with server:
            await self._reflector.run()

    def route(self, target: str) -> tuple[str, int]:
        """Where a connection to *target* goes; ready pods take turns. Raises NoRoute."""
        name, namespace, port = parse_target(target)
        service = self._services.get((namespace, name))
        if service is None:
            raise NoRoute(f"there is no Service {name} in namespace {namespace}")
        choices = endpoints(service, port, self._pods())
        return choices[next(self._turns) % len(choices)]

    def _take(self, service: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        key = (service["metadata"]["namespace"], service["metadata"]["name"])
        if exists:
            self._services[key] = service
        else:
            self._services.pop(key, None)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._tunnel(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, *_ = [*head.split(" ", 2), "", ""]
        if method != "CONNECT":
            return await _refuse(writer, HTTPStatus.METHOD_NOT_ALLOWED, "this proxy knows CONNECT only")
        try:
            host, port = self.route(target)
            there = await asyncio.open_connection(host, port)
        except (NoRoute, OSError) as error:
            _log.info("no route", target=target, why=str(error))
            return await _refuse(writer, HTTPStatus.BAD_GATEWAY, str(error))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return await _join((reader, writer), there)


async def _refuse(writer: asyncio.StreamWriter, status: HTTPStatus, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(here: End, there: End) -> None:
    """Carries bytes both ways until either side closes."""
    ways = [asyncio.create_task(_carry(here[0], there[1])), asyncio.create_task(_carry(there[0], here[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        there[1].close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_BUFFER_BYTES):
            writer.write(data)
            await writer.drain()
