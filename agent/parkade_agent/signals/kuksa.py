"""Signals of an Eclipse KUKSA databroker, by `kuksa.val.v2`.

A thread of its own listens with gRPC's blocking calls: what the driver does is never told through the agent's event
loop, and two event loops in one process disturb each other in gRPC (docs/adr/0016).
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import structlog

from parkade_agent.backoff import delays
from parkade_agent.signals.heard import Heard, boottime
from parkade_agent.signals.names import folded, known
from parkade_api import vss
from parkade_api.proto.kuksa.val.v2 import val_pb2, val_pb2_grpc
from parkade_core.vehicle.plausible import Value
from parkade_core.vehicle.readings import Readings

Rights = tuple[tuple[str, str], ...]
Datapoints = Mapping[str, val_pb2.Datapoint]

ANSWER_SECONDS: Final = 5.0
BUFFERED_MESSAGES: Final = 1000
"""The most that a broker keeps for us; with fewer, a busy signal pushes out the one word of a rare one."""
_ROOT = "Vehicle"
_OPTIONS = (
    # A broker on another computer that loses power says nothing: the connection ends after this much silence.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
)
_log = structlog.get_logger()


class NoSignals(Exception):
    """The broker offers nothing that Parkade reads."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is (host:port), the CA that signed its certificate and the file of the token that it asks for.

    Without a CA it is spoken to in the clear, as KUKSA does inside one computer. *server_name* is what its certificate
    says, where that is not the host's name.
    """

    address: str
    ca_file: Path | None = None
    server_name: str = ""
    token_file: Path | None = None

    def connect(self) -> grpc.Channel:
        """A new connection, with the files as they are now. Raises OSError."""
        options: list[tuple[str, str | int]] = [*_OPTIONS]
        if self.ca_file is None:
            return grpc.insecure_channel(self.address, options)
        if self.server_name:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        return grpc.secure_channel(
            self.address, grpc.ssl_channel_credentials(self.ca_file.read_bytes()), options
        )

    def rights(self) -> Rights:
        """What every call shows. Raises OSError."""
        if self.token_file is None:
            return ()
        return (("authorization", f"Bearer {self.token_file.read_text(encoding='ascii').strip()}"),)


class KuksaSignals:
    """A `SignalSource` that listens to *broker*, and comes back for ever when it is cut off."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._heard = Heard()
        self._names: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._channel: grpc.Channel | None = None
        self._thread: threading.Thread | None = None

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to listen; *on_change* is called in the source's thread after every message with news."""
        self._thread = threading.Thread(target=self._listen, args=(on_change,), name="signals", daemon=True)
        self._thread.start()

    def readings(self) -> Readings:
        """The newest value of each path; the age is the time since the broker told it as new, by our own clock."""
        with self._lock:
            return folded(self._heard.readings(boottime()), self._names)

    def stop(self) -> None:
        """Ends the connection and the thread; readings age from then on."""
        self._stopped.set()
        with self._lock:
            channel = self._channel
        if channel is not None:
            channel.close()
        if self._thread is not None:
            self._thread.join()

    def _listen(self, on_change: Callable[[], None]) -> None:
        waits = delays(0.2, 5.0)
        while not self._stopped.is_set():
            try:
                with self._connected() as channel:
                    call = _Calls(val_pb2_grpc.VALStub(channel), self._broker.rights())
                    if self._begin(call):
                        on_change()
                    for message in call.subscribe(list(self._names)):
                        waits = delays(0.2, 5.0)
                        if self._take(message.entries, is_stored=False):
                            on_change()
            except Exception as error:  # noqa: BLE001 - whatever a broker does: signals must come back
                if not self._stopped.is_set():
                    _log.warning("no signals", broker=self._broker.address, why=_words(error))
            self._stopped.wait(next(waits))

    @contextmanager
    def _connected(self) -> Iterator[grpc.Channel]:
        with self._broker.connect() as channel:
            with self._lock:
                self._channel = channel
            if self._stopped.is_set():
                channel.close()
            yield channel

    def _begin(self, call: "_Calls") -> bool:
        """Chooses the paths and takes what the broker has of them; true when that is news. Raises NoSignals."""
        names = known(call.paths())
        if not names:
            raise NoSignals(f"nothing below {_ROOT} that Parkade reads, in VSS 6.0 or 5.1")
        with self._lock:
            self._heard.keep(names)
            self._names = names
        lacking = sorted(vss.PATHS - set(names.values()))
        _log.info("signals", broker=self._broker.address, program=call.program(), lacking=lacking)
        return self._take(call.stored(list(names)), is_stored=True)

    def _take(self, datapoints: Datapoints, *, is_stored: bool) -> bool:
        now = boottime()
        with self._lock:
            news = [
                self._heard.take(path, value, _seconds(point), now, is_stored=is_stored)
                if (value := _value(point)) is not None
                else self._heard.forget(path)
                for path, point in datapoints.items()
                if path in self._names
            ]
        return any(news)


class _Calls:
    """The four calls of one connection. Each raises grpc.RpcError."""

    def __init__(self, stub: val_pb2_grpc.VALStub, rights: Rights) -> None:
        self._stub = stub
        self._rights = rights

    def program(self) -> str:
        """What the broker is."""
        info = self._stub.GetServerInfo(
            val_pb2.GetServerInfoRequest(), timeout=ANSWER_SECONDS, metadata=self._rights
        )
        return f"{info.name} {info.version}"

    def paths(self) -> list[str]:
        """Every path that the broker knows."""
        request = val_pb2.ListMetadataRequest(root=_ROOT)
        reply = self._stub.ListMetadata(request, timeout=ANSWER_SECONDS, metadata=self._rights)
        return [entry.path for entry in reply.metadata]

    def stored(self, paths: list[str]) -> Datapoints:
        """What the broker has of *paths*."""
        request = val_pb2.GetValuesRequest(signal_ids=[val_pb2.SignalID(path=path) for path in paths])
        reply = self._stub.GetValues(request, timeout=ANSWER_SECONDS, metadata=self._rights)
        return dict(zip(paths, reply.data_points, strict=True))

    def subscribe(self, paths: list[str]) -> Iterator[val_pb2.SubscribeResponse]:
        """Every message about *paths*, until the connection ends."""
        request = val_pb2.SubscribeRequest(signal_paths=paths, buffer_size=BUFFERED_MESSAGES)
        return self._stub.Subscribe(request, metadata=self._rights)


def _seconds(point: val_pb2.Datapoint) -> float:
    return point.timestamp.seconds + point.timestamp.nanos / 1e9


def _value(point: val_pb2.Datapoint) -> Value | None:
    kind = point.value.WhichOneof("typed_value")
    value: Value | None = getattr(point.value, kind) if kind else None
    return value[: vss.LONGEST_TEXT] if isinstance(value, str) else value


def _words(error: Exception) -> str:
    if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return str(error) or repr(error)
