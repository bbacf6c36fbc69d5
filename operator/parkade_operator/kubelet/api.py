"""The kubelet's HTTPS API, as far as the API server needs it for `kubectl logs`.

The API server calls `/containerLogs/<namespace>/<pod>/<container>` with its kubelet client certificate; the path names
no Node, so one port answers for any number of them. Statuses are chosen by what kubectl shows: the text of an error
survives with 400 and 403 only, and a follower repeats a request that failed, so it gets 200 and the sentence as a line.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Protocol

import structlog
from aiohttp import web

from parkade_core.logs import LogOptions
from parkade_operator.kube.client import Object
from parkade_operator.kubelet.callers import Callers, NotAllowed, caller_of
from parkade_operator.kubelet.query import BadQuery, options_of

MOST_READERS = 64
_CLOSE_SECONDS = 1.0
_NO_COMMANDS = "Parkade runs no commands and opens no ports in a vehicle; only logs can be read.\n"
_log = structlog.get_logger()

Log = AsyncGenerator[bytes, None]


class NoLogs(Exception):
    """There is no such log, or none now; the text is a sentence for the reader."""


class LogSource(Protocol):
    """What knows the pods of the Nodes that this port answers for, and reads their logs."""

    def find(self, namespace: str, name: str) -> Object | None:
        """The pod of that name, if it is bound to one of the Nodes."""

    def logs(self, pod: Object, container: str, options: LogOptions) -> Log:
        """The log in chunks; the first one may be empty and comes as soon as it is known that there is a log.

        Raises NoLogs: before the first chunk, in at most 5 seconds, the request fails with its sentence; after it,
        the sentence becomes the log's last line.
        """


class KubeletApi:
    """One HTTPS port. Client certificates are verified by the TLS context, rights by the API server."""

    def __init__(self, source: LogSource, callers: Callers) -> None:
        self._source = source
        self._callers = callers
        self._readers = asyncio.Semaphore(MOST_READERS)
        app = web.Application()
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for kind in ("exec", "attach", "portForward", "run"):
            app.router.add_route("*", f"/{kind}/{{rest:.*}}", _refuse_command)
        # Without cancellation a follower of a silent log would be served after it has left.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSE_SECONDS
        )

    async def start(self, address: str, port: int, tls: ssl.SSLContext) -> int:
        """Opens the port, 0 for a free one, and returns it. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, address, port, ssl_context=tls).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """Closes the port and ends every answer."""
        await self._runner.cleanup()

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        pod = self._source.find(request.match_info["namespace"], request.match_info["pod"])
        try:
            await self._callers.admit(caller_of(request), pod["spec"]["nodeName"] if pod else "")
            options = options_of(request.query, time.time())
        except NotAllowed as error:
            return _sentence(HTTPStatus.FORBIDDEN, error)
        except BadQuery as error:
            return _sentence(HTTPStatus.BAD_REQUEST, error)
        if pod is None:
            return _sentence(HTTPStatus.BAD_REQUEST, "no Node that is answered for here has this pod")
        if self._readers.locked():
            return _no_logs(f"{MOST_READERS} logs are being read already; try again later", options)
        async with self._readers:
            return await self._answer(request, pod, options)

    async def _answer(self, request: web.Request, pod: Object, options: LogOptions) -> web.StreamResponse:
        async with aclosing(self._source.logs(pod, request.match_info["container"], options)) as log:
            try:
                first = await anext(log, b"")
            except NoLogs as error:
                return _no_logs(error, options)
            response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
            await response.prepare(request)
            try:
                await _send(response, first, log, options.limit_bytes)
            except NoLogs as error:
                await response.write(f"{error}\n".encode())
            return response


async def _send(response: web.StreamResponse, first: bytes, log: Log, limit: int | None) -> None:
    """Whoever sends the log need not keep to the limit."""
    left = limit
    chunk: bytes | None = first
    while chunk is not None:
        piece = chunk if left is None else chunk[:left]
        if piece:
            await response.write(piece)
        if left is not None and (left := left - len(piece)) == 0:
            return
        chunk = await anext(log, None)


async def _refuse_command(_: web.Request) -> web.Response:
    return web.Response(status=HTTPStatus.FORBIDDEN, text=_NO_COMMANDS)


def _no_logs(why: object, options: LogOptions) -> web.Response:
    return _sentence(HTTPStatus.OK if options.follow else HTTPStatus.BAD_REQUEST, why)


def _sentence(status: HTTPStatus, why: object) -> web.Response:
    _log.info("log not read", status=int(status), why=str(why))
    return web.Response(status=status, text=f"{why}\n")
