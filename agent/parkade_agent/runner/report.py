"""What the runner says of a shard: to the agent, and in the pod's log. Pure."""

from typing import Final

import grpc

from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import Reason, ShardFault

_REASONS: Final = {
    grpc.StatusCode.NOT_FOUND: ShardFault.SHARD_REFUSED,
    grpc.StatusCode.FAILED_PRECONDITION: ShardFault.SHARD_REFUSED,  # its result cannot have that name
    grpc.StatusCode.INVALID_ARGUMENT: ShardFault.SHARD_REFUSED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.NO_SPACE,
    grpc.StatusCode.DATA_LOSS: ShardFault.SHARD_DAMAGED,
}
"""What the sidecar says with words of its own. Any other's may be gRPC's, which name paths of the vehicle."""
_LOST: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def result_name(shard: vehicle_pb2.NextReply) -> str:
    """The file in the slot's folder that takes the shard's result; no two attempts share one."""
    return f"{shard.input_name}.{shard.attempt}.result"


def run_request(shard: vehicle_pb2.NextReply) -> vehicle_pb2.RunRequest:
    """What to ask of the sidecar for this shard."""
    return vehicle_pb2.RunRequest(
        input_name=shard.input_name,
        input_sha256=shard.input_sha256,
        result_name=result_name(shard),
        input_digest=shard.input_digest,
    )


def finished(shard: vehicle_pb2.NextReply, outcome: vehicle_pb2.ShardOutcome) -> vehicle_pb2.FinishRequest:
    """What to tell the agent about a shard that has its result."""
    return vehicle_pb2.FinishRequest(
        lease=shard.lease,
        shard=shard.shard,
        attempt=shard.attempt,
        outcome=outcome,
        result_name=result_name(shard),
    )


def failed(shard: vehicle_pb2.NextReply, code: grpc.StatusCode, message: str) -> vehicle_pb2.FinishRequest:
    """What to tell the agent about a shard that the sidecar could not run."""
    reason: str | None = _REASONS.get(code)
    if reason is None:
        reason = ShardFault.SIDECAR_LOST if code in _LOST else ShardFault.UNEXPECTED
        message = f"the sidecar gave no answer ({code.name})"
    return vehicle_pb2.FinishRequest(
        lease=shard.lease,
        shard=shard.shard,
        attempt=shard.attempt,
        reason=reason,
        message=message,
    )


def log_line(finish: vehicle_pb2.FinishRequest, seconds: float) -> str:
    """One line of the pod's log."""
    if not finish.HasField("outcome"):
        return f"shard {finish.shard} failed after {seconds:.2f} s: {finish.reason}: {finish.message}"
    outcome = finish.outcome
    records = outcome.succeeded + outcome.failed
    rate = records / seconds if seconds else 0.0
    cpu = outcome.cpu_nanoseconds / 1e6 / max(records, 1)
    errors = f", {outcome.failed} of them errors" if outcome.failed else ""
    return (
        f"shard {finish.shard} done: {records} records{errors} in {seconds:.2f} s,"
        f" {rate:.1f} records/s, {cpu:.2f} CPU ms a record"
    )
