"""What every process shows of itself over HTTP, on a port of its own: /metrics, /healthz and /readyz.

It is served from a thread, so that it answers also while the process's event loop is stuck, and says so.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Final

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import override

STUCK_SECONDS: Final = 15.0
BEAT_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 10.0
_SLEEP_SECONDS: Final = 3600.0  # of the port while nobody calls; closing it wakes it
_TEXT: Final = "text/plain; charset=utf-8"
_log = structlog.get_logger()

Answer = tuple[HTTPStatus, str, bytes]


class ExpositionSettings(BaseSettings):
    """Where a process shows itself; its own settings inherit from these."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_", frozen=True)

    listen_address: str = Field(default="127.0.0.1", description="Address that every port is opened on.")
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz; 0 picks a free one."
    )


class Health:
    """Whether a process lives and is ready. Safe from any thread."""

    def __init__(self, process: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.process = process
        self.is_ready = False
        self._clock = clock
        self._beat_at = clock()

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001 - its one argument
        """Says whether the process does its work, or would at once if it came to lead."""
        self.is_ready = ready

    def beat(self) -> None:
        """Says that the process moves; without a beat for 15 seconds it counts as stuck."""
        self._beat_at = self._clock()

    async def keep_beating(self) -> None:
        """Beats every second for as long as the event loop that runs it moves; never returns."""
        while True:
            self.beat()
            await asyncio.sleep(BEAT_SECONDS)

    def still_for(self) -> float:
        """Seconds since the last beat."""
        return self._clock() - self._beat_at


class Exposition:
    """The open port; `port` is the one that was picked when it was asked for as 0."""

    def __init__(self, health: Health, address: str, port: int, registry: CollectorRegistry) -> None:
        self._server = _Server(health, address, port, registry)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_SLEEP_SECONDS,), name="exposition", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Closes the port."""
        self._server.socket.shutdown(
            socket.SHUT_RDWR
        )  # wakes the thread, which would look only then whether to end
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(health: Health, address: str, port: int, registry: CollectorRegistry = REGISTRY) -> Exposition:
    """Opens the port and answers on it until `close`. Raises OSError when it cannot be opened."""
    # A second series of every counter, which nothing asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    exposition = Exposition(health, address, port, registry)
    _log.info("metrics and health are served", address=address, port=exposition.port)
    return exposition


class _Server(ThreadingTCPServer):
    """Not http.server.HTTPServer, which asks DNS for its own name before it serves."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, health: Health, address: str, port: int, registry: CollectorRegistry) -> None:
        self.health = health
        self.registry = registry
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, port), _Handler)

    def answer(self, path: str, accept: str) -> Answer:
        """What is said to GET *path*."""
        match path.partition("?")[0]:
            case "/metrics":
                return self._metrics(accept)
            case "/healthz":
                still = self.health.still_for()
                return _said(still < STUCK_SECONDS, f"{self.health.process} stands still for {still:.0f} s")
            case "/readyz":
                return _said(self.health.is_ready, f"{self.health.process} is not ready")
            case _:
                return HTTPStatus.NOT_FOUND, _TEXT, b"/metrics, /healthz and /readyz are here\n"

    def _metrics(self, accept: str) -> Answer:
        encode, content_type = choose_encoder(accept)
        try:
            return HTTPStatus.OK, content_type, encode(self.registry)
        except Exception:  # noqa: BLE001 - whatever a collector raises fails this scrape alone
            _log.exception("metrics could not be read")
            return HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"metrics could not be read; the log says why\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        status, content_type, body = self.server.answer(self.path, self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Probes and scrapes come every few seconds: no line for them."""


def _said(is_well: bool, otherwise: str) -> Answer:  # noqa: FBT001 - private
    if is_well:
        return HTTPStatus.OK, _TEXT, b"ok\n"
    return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, otherwise.encode() + b"\n"
