"""A small API server whose faults a test can order: a real one cannot be made to show them when they are wanted."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from parkade_hack.pki import Authority
from parkade_operator.kube.client import Access, KubeClient
from support.objects import Object

Answer = tuple[int, Object | bytes]
Line = Object | bytes


@dataclass
class ApiServer:
    """Answers every request as ordered, first in first out, and keeps what was asked.

    A watch sends its lines and is ended; when no watch is ordered any more, it stays open without a word.
    """

    answers: deque[Answer] = field(default_factory=deque)
    watches: deque[tuple[int, list[Line]]] = field(default_factory=deque)
    watched_from: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    asked: list[tuple[str, str, dict[str, str], Object | None]] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def answer(self, *bodies: Object | bytes, status: int = 200) -> None:
        """Orders answers to the next requests that are no watches."""
        self.answers.extend((status, body) for body in bodies)

    def refuse(self, status: int, reason: str, message: str) -> None:
        """Orders a refusal, as the API server words one."""
        self.answer({"kind": "Status", "code": status, "reason": reason, "message": message}, status=status)

    def watch(self, *lines: Line, status: int = 200) -> None:
        """Orders what the next watch tells before it ends, or the status it is refused with."""
        self.watches.append((status, list(lines)))

    def requests(self, method: str) -> list[tuple[str, Object | None]]:
        """Path and body of every request with that method, watches left out."""
        return [
            (path, body) for verb, path, query, body in self.asked if verb == method and "watch" not in query
        ]

    async def news(self) -> None:
        """Returns after the next request."""
        await self.arrival.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serves one request."""
        sent = await request.text()
        self.asked.append(
            (request.method, request.path, dict(request.query), json.loads(sent) if sent else None)
        )
        self.arrival.set()
        self.arrival = asyncio.Event()
        if "watch" in request.query:
            return await self._stream(request)
        status, body = self.answers.popleft()
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(status=status, body=text, content_type="application/json")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.watched_from.put_nowait(request.query["resourceVersion"])
        status, lines = self.watches.popleft() if self.watches else (200, None)
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        if lines is None:
            await self.closing.wait()
        for line in lines or []:
            await response.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        return response


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[ApiServer, KubeClient]]:
    """The server on a free port of the loopback, and our client for it."""
    server = ApiServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    (folder / "token").write_text("first\n")
    ca = Authority(folder / "ca", "api").files.cert
    client = KubeClient(Access(server=server.url, ca_file=ca, token_file=folder / "token"))
    try:
        yield server, client
    finally:
        server.closing.set()
        await client.close()
        await runner.cleanup()
