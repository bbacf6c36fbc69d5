"""How soon a sidecar serves: from the start of its process to SERVING, its bundle in the page cache.

It is started in the sandbox, as vehicles start it.
"""

import time
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parkade_bench.errors import BenchError
from parkade_bench.servers import shut_in_sidecar
from parkade_hack.processes import Supervisor

_LATE_SECONDS: Final = 60.0
# Unasked, gRPC waits a second before it looks for the socket again.
_OFTEN: Final = tuple((f"grpc.{name}_reconnect_backoff_ms", 10) for name in ("initial", "min", "max"))


def measure_ready(bundle: Path, scratch: Path, count: int) -> list[float]:
    """Seconds to SERVING of *count* sidecars started one after the other."""
    return [_ready(bundle, scratch / f"ready{number}") for number in range(count)]


def _ready(bundle: Path, slot: Path) -> float:
    slot.mkdir()
    supervisor = Supervisor(slot / "logs")
    program, target = shut_in_sidecar("ready", bundle, slot)
    begun = time.perf_counter()
    supervisor.start(program)
    try:
        with grpc.insecure_channel(target, _OFTEN) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            reply = stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=_LATE_SECONDS)
        seconds = time.perf_counter() - begun
        if reply.status != health_pb2.HealthCheckResponse.SERVING:
            raise BenchError(f"the sidecar answers {reply.status} when it is asked whether it serves")
        return seconds
    finally:
        supervisor.stop_all()
