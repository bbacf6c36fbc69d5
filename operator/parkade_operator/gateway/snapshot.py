"""What the gateway tells the operator: batches and pools, counted from what is known now."""

from collections.abc import Sequence

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_core.vehicle.census import VehicleView, count_pool
from parkade_core.vehicle.node import vehicle_of
from parkade_core.vehicle.pod import PodView
from parkade_operator.gateway.slots import batch_of
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.client import Object
from parkade_operator.kubelet.pods import PodController
from parkade_operator.shards.spec import BatchStatus

_STATES = {
    "Planning": pb.PLANNING,
    "Running": pb.RUNNING,
    "Finalizing": pb.FINALIZING,
    "Complete": pb.COMPLETE,
    "Failed": pb.FAILED,
}


def take_snapshot(
    batches: Sequence[BatchStatus], pools: Sequence[str], vehicles: Vehicles, pods: PodController
) -> pb.Snapshot:
    """Everything, counted."""
    views = vehicles.views()
    slots = [(pod, pods.view(pod["metadata"]["uid"])) for pod in pods.slots()]
    return pb.Snapshot(
        batches=[_batch(status, slots, vehicles) for status in batches],
        pools=[_pool(name, views) for name in pools],
    )


def _batch(
    status: BatchStatus,
    slots: Sequence[tuple[Object, PodView]],
    vehicles: Vehicles,
) -> pb.BatchProgress:
    ours = [(pod, view) for pod, view in slots if batch_of(pod) == status.uid and not view.ended]
    silent = sum(_is_silent(pod, vehicles) for pod, _ in ours)
    running = [view for pod, view in ours if not _is_silent(pod, vehicles) and _runner_runs(view)]
    return pb.BatchProgress(
        uid=status.uid,
        state=_STATES[status.state],
        reason=status.reason,
        message=status.message,
        input_digest=status.input_digest,
        records_total=status.records_total,
        records_succeeded=status.records_succeeded,
        records_failed=status.records_failed,
        shards_total=status.shards_total,
        shards_committed=status.shards_committed,
        shards_leased=status.shards_leased,
        records_per_second=round(status.records_per_second, 1),
        slots_running=len(running),
        slots_silent=silent,
        slots_idle=sum(not view.containers["runner"].ready for view in running),
        output_uri=status.output_uri,
        error_uri=status.error_uri,
        manifest_digest=status.manifest_digest,
    )


def _pool(name: str, views: Sequence[VehicleView]) -> pb.PoolCounts:
    count = count_pool(name, views)
    return pb.PoolCounts(
        name=name,
        total=count.total,
        online=count.online,
        eligible=count.eligible,
        busy=count.busy,
        offline=count.offline,
        free=count.free,
        ineligible_reasons=count.ineligible_reasons,
    )


def _is_silent(pod: Object, vehicles: Vehicles) -> bool:
    return vehicles.is_silent(vehicle_of(pod["spec"]["nodeName"]) or "")


def _runner_runs(view: PodView) -> bool:
    runner = view.containers.get("runner")
    return runner is not None and runner.phase == "Running"
