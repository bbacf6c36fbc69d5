"""A KUKSA databroker for tests: it keeps datapoints, and tells readers of every published one, changed or not."""

import multiprocessing
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import grpc
from typing_extensions import override

from parkade_api.proto.kuksa.val.v2 import val_pb2, val_pb2_grpc

Value = float | bool | str | None
_KINDS = {bool: "bool", str: "string", int: "int64", float: "double"}


class Databroker(val_pb2_grpc.VALServicer):
    """Knows *paths*; `lead` is how many seconds its clock is ahead. With a *token* it serves who shows it."""

    def __init__(self, *paths: str, token: str = "") -> None:
        self.lead = 0.0
        self.tells_too_much = False
        self.subscribed: list[list[str]] = []
        self._token = token
        self._points = {path: val_pb2.Datapoint() for path in paths}
        self._readers: list[queue.SimpleQueue[Mapping[str, val_pb2.Datapoint] | None]] = []
        self._lock = threading.Lock()

    def publish(self, values: Mapping[str, Value]) -> None:
        """What a provider does: new datapoints with the time of now, told in one message. None takes a value away."""
        points = {path: _datapoint(value, time.time() + self.lead) for path, value in values.items()}
        with self._lock:
            self._points |= points
            for reader in self._readers:
                reader.put(points)

    @override
    def GetServerInfo(
        self, request: val_pb2.GetServerInfoRequest, context: Any
    ) -> val_pb2.GetServerInfoResponse:
        self._check(context)
        return val_pb2.GetServerInfoResponse(name="databroker", version="0.0.0-test")

    @override
    def ListMetadata(
        self, request: val_pb2.ListMetadataRequest, context: Any
    ) -> val_pb2.ListMetadataResponse:
        self._check(context)
        below = [path for path in self._points if path.startswith(f"{request.root}.")]
        return val_pb2.ListMetadataResponse(metadata=[val_pb2.Metadata(path=path) for path in below])

    @override
    def GetValues(self, request: val_pb2.GetValuesRequest, context: Any) -> val_pb2.GetValuesResponse:
        self._check(context)
        asked = [signal.path for signal in request.signal_ids]
        return val_pb2.GetValuesResponse(data_points=[self._known(path, context) for path in asked])

    @override
    def Subscribe(
        self, request: val_pb2.SubscribeRequest, context: Any
    ) -> Iterator[val_pb2.SubscribeResponse]:
        self._check(context)
        paths = set(request.signal_paths)
        reader: queue.SimpleQueue[Mapping[str, val_pb2.Datapoint] | None] = queue.SimpleQueue()
        with self._lock:
            reader.put({path: self._known(path, context) for path in paths})
            self._readers.append(reader)
            self.subscribed.append(sorted(paths))
        context.add_callback(lambda: reader.put(None))
        while (points := reader.get()) is not None:
            told = points if self.tells_too_much else {path: points[path] for path in paths & points.keys()}
            yield val_pb2.SubscribeResponse(entries=told)

    def _check(self, context: Any) -> None:
        if (
            self._token
            and dict(context.invocation_metadata()).get("authorization") != f"Bearer {self._token}"
        ):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid auth token")

    def _known(self, path: str, context: Any) -> val_pb2.Datapoint:
        if path not in self._points:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Path not found: {path}")
        return self._points[path]


@contextmanager
def serving(
    broker: Databroker | None, port: int = 0, credentials: grpc.ServerCredentials | None = None
) -> Iterator[int]:
    """Serves *broker*, or nothing at all, on a loopback port, which is yielded."""
    server = grpc.server(ThreadPoolExecutor(8))
    if broker is not None:
        val_pb2_grpc.add_VALServicer_to_server(broker, server)
    address = f"127.0.0.1:{port}"
    bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield bound
    finally:
        server.stop(grace=None).wait()


def repeat(path: str, parent: Connection) -> None:
    """Serves a broker whose *path* is repeated, until the *parent* says a word; first tells it the port."""
    broker = Databroker(path)
    with serving(broker) as port:
        parent.send(port)
        while not parent.poll(0.2):
            broker.publish({path: 0.0})


@contextmanager
def broker_process(path: str) -> Iterator[tuple[int, int]]:
    """Process id and port of a broker in a process of its own, whose *path* is repeated."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=repeat, args=(path, theirs))
    process.start()
    theirs.close()
    try:
        yield process.pid or 0, ours.recv()
    finally:
        ours.send("end")
        process.join(30)


def _datapoint(value: Value, stamp: float) -> val_pb2.Datapoint:
    point = val_pb2.Datapoint()
    point.timestamp.FromNanoseconds(int(stamp * 1e9))
    if value is not None:
        setattr(point.value, _KINDS[type(value)], value)
    return point
