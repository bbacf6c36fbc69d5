"""What a Service is to a cluster, for gateways that are local processes: one port that reaches whoever leads."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

from typing_extensions import override

CONNECT_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024
FRESH_SECONDS = 0.5


class Looked:
    """What *look* says, asked at most twice a second however often it is wanted."""

    def __init__(self, look: Callable[[], str]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._found = ""
        self._until = 0.0

    def __call__(self) -> str:
        """The answer, half a second old at most."""
        with self._lock:
            if time.monotonic() > self._until:
                self._found, self._until = self._look(), time.monotonic() + FRESH_SECONDS
            return self._found


class Forwarder:
    """Hands every connection to *port* of 127.0.0.1 on to the port that *target* names then.

    As with a Service, a connection stays with whom it reached.
    """

    def __init__(self, port: int, target: Callable[[], int]) -> None:
        self._server = _Server(port, target)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name=f"service-{port}", daemon=True
        )

    def start(self) -> None:
        """Opens the port."""
        self._thread.start()

    def stop(self) -> None:
        """Closes the port; open connections end with their sides."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, target: Callable[[], int]) -> None:
        self.target = target
        super().__init__(("127.0.0.1", port), _Connection)


class _Connection(BaseRequestHandler):
    server: _Server

    @override
    def handle(self) -> None:
        port = self.server.target()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS) as behind:
            behind.settimeout(None)
            back = threading.Thread(target=_pump, args=(behind, self.request), daemon=True)
            back.start()
            _pump(self.request, behind)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copies until either side ends, and then ends both, so that the other direction ends too."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    for side in (source, sink):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
