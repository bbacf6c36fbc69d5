"""What the runner says of a shard."""

import grpc
import pytest

from parkade_agent.runner import report
from parkade_api.proto.vehicle.v1 import vehicle_pb2

SHARD = vehicle_pb2.NextReply(
    lease="l",
    shard=7,
    attempt="a",
    input_name="in-7",
    input_sha256="ff",
    input_digest="sha256:00",
)


def test_request_names_files_of_this_attempt() -> None:
    """Two attempts at a shard never write the same file."""
    request = report.run_request(SHARD)
    assert (request.input_name, request.input_sha256, request.input_digest) == ("in-7", "ff", "sha256:00")
    assert request.result_name == "in-7.a.result"
    assert report.finished(SHARD, vehicle_pb2.ShardOutcome()).result_name == request.result_name


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "NoSpace"),
        (grpc.StatusCode.DATA_LOSS, "ShardDamaged"),
        (grpc.StatusCode.NOT_FOUND, "ShardRefused"),
        (grpc.StatusCode.FAILED_PRECONDITION, "ShardRefused"),
    ],
)
def test_failure_has_reason_and_message(code: grpc.StatusCode, reason: str) -> None:
    """A failed shard keeps its lease and attempt and says why."""
    finish = report.failed(SHARD, code, "because")
    assert (finish.lease, finish.shard, finish.attempt) == ("l", 7, "a")
    assert (finish.reason, finish.message) == (reason, "because")
    assert not finish.HasField("outcome")
    assert report.log_line(finish, 1.5) == f"shard 7 failed after 1.50 s: {reason}: because"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, "SidecarLost"),
        (grpc.StatusCode.CANCELLED, "SidecarLost"),
        (grpc.StatusCode.INTERNAL, "Unexpected"),
        (grpc.StatusCode.UNKNOWN, "Unexpected"),
    ],
)
def test_words_that_the_sidecar_did_not_choose_are_not_told(code: grpc.StatusCode, reason: str) -> None:
    """Those of gRPC and Python name paths of the vehicle; the cluster and the pod's log have the message."""
    finish = report.failed(SHARD, code, "failed to connect to unix:/media/stick/s")
    assert (finish.reason, finish.message) == (reason, f"the sidecar gave no answer ({code.name})")


def test_log_line_tells_the_rate() -> None:
    """The pod's log has records a second and CPU milliseconds a record, and names errors when there are any."""
    outcome = vehicle_pb2.ShardOutcome(succeeded=48, failed=2, cpu_nanoseconds=200_000_000)
    line = report.log_line(report.finished(SHARD, outcome), 0.5)
    assert (
        line == "shard 7 done: 50 records, 2 of them errors in 0.50 s, 100.0 records/s, 4.00 CPU ms a record"
    )
    assert "errors" not in report.log_line(report.finished(SHARD, vehicle_pb2.ShardOutcome(succeeded=1)), 0.0)
