"""What the gateway tells the operator: batches and pools, counted from what is known now."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.wellknown import CONTAINER_RUNNER
from parkade_core.batch.progress import Progress
from parkade_core.kubelet.pod import PodView
from parkade_core.vehicle.census import count_pool
from parkade_core.vehicle.node import vehicle_of
from parkade_core.vehicle.pod import standing
from parkade_core.vehicle.pool_status import PoolReport
from parkade_operator.gateway.pools import Pools
from parkade_operator.gateway.reclaims import ReclaimLog
from parkade_operator.gateway.slots import batch_of
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.client import Object
from parkade_operator.kubelet.pods import PodController
from parkade_operator.messages import progress_message, report_message


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that is counted from; *batches* tells their progress."""

    batches: Callable[[], Sequence[Progress]]
    pools: Pools
    vehicles: Vehicles
    pods: PodController
    reclaims: ReclaimLog

    def snapshot(self) -> pb.Snapshot:
        """Everything, counted now."""
        views = self.vehicles.views()
        slots = self._slots()
        return pb.Snapshot(
            batches=[
                progress_message(_with_slots(batch, slots.get(batch.uid, ()), self.vehicles))
                for batch in self.batches()
            ],
            pools=[
                report_message(
                    name,
                    PoolReport(count_pool(name, views), self.reclaims.figures(name, pool.reclaim_target)),
                )
                for name, pool in self.pools.applied().items()
            ],
        )

    def _slots(self) -> Mapping[str, Sequence[tuple[Object, PodView]]]:
        """The slots of each batch that have not ended, by its uid."""
        slots = defaultdict[str, list[tuple[Object, PodView]]](list)
        for pod in self.pods.bound():
            view = standing(pod, self.pods.view(pod["metadata"]["uid"]))
            if not view.ended:
                slots[batch_of(pod)].append((pod, view))
        return slots


def _with_slots(batch: Progress, slots: Sequence[tuple[Object, PodView]], vehicles: Vehicles) -> Progress:
    connected = [view for pod, view in slots if not _is_silent(pod, vehicles)]
    running = [view for view in connected if _runner_runs(view)]
    return replace(
        batch,
        records_per_second=round(batch.records_per_second, 1),
        slots_running=len(running),
        slots_starting=len(connected) - len(running),
        slots_silent=len(slots) - len(connected),
        slots_idle=sum(not view.containers[CONTAINER_RUNNER].ready for view in running),
    )


def _is_silent(pod: Object, vehicles: Vehicles) -> bool:
    return vehicles.is_silent(vehicle_of(pod["spec"]["nodeName"]) or "")


def _runner_runs(view: PodView) -> bool:
    runner = view.containers.get(CONTAINER_RUNNER)
    return runner is not None and runner.phase == "Running"
