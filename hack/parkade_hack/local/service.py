"""What a Service is to a cluster, for gateways that are local processes: one port that reaches whoever leads."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

from typing_extensions import override

CONNECT_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024


class Forwarder:
    """Hands every connection to *port* of 127.0.0.1 on to the port that *target* names then.

    None is nobody: the connection is closed. As with a Service, a connection stays with whom it reached.
    """

    def __init__(self, port: int, target: Callable[[], int | None]) -> None:
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

    def __init__(self, port: int, target: Callable[[], int | None]) -> None:
        self.target = target
        super().__init__(("127.0.0.1", port), _Connection)


class _Connection(BaseRequestHandler):
    server: _Server

    @override
    def handle(self) -> None:
        port = self.server.target()
        if port is None:
            return
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
