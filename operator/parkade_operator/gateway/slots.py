"""The vehicles' pod provider: pods become assignments on sessions, slot reports become pod views."""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from typing_extensions import override

from parkade_api import wellknown as wk
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.batch.slots import refusal_label
from parkade_core.kubelet.pod import ContainerView, PodView
from parkade_core.shown import shown
from parkade_core.vehicle.node import node_name, vehicle_of
from parkade_operator.door.sessions import Session, Sessions
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.client import Object
from parkade_operator.kubelet.pods import PodController
from parkade_operator.kubelet.provider import PodProvider

_PHASES = {
    pb.ContainerState.WAITING: "Waiting",
    pb.ContainerState.RUNNING: "Running",
    pb.ContainerState.TERMINATED: "Terminated",
}
_CONTAINERS = frozenset({wk.CONTAINER_RUNNER, wk.CONTAINER_SIDECAR})
_MOST_REASON = 64
_MOST_MESSAGE = 1024
_YEAR_10000 = 253_402_300_800_000  # in unix milliseconds: RFC 3339 has four digits of a year
_log = structlog.get_logger()


class VehicleSlots(PodProvider):
    """Runs pods in vehicles. A pod is a slot; its vehicle is that of the Node it is bound to."""

    def __init__(
        self,
        sessions: Sessions,
        vehicles: Vehicles,
        pods: PodController,
        input_digest: Callable[[str], str | None],
        namespace: Callable[[str], str | None],
    ) -> None:
        """*input_digest* and *namespace* are those of a batch by its uid, None while they are not known."""
        self._sessions = sessions
        self._vehicles = vehicles
        self._pods = pods
        self._input_digest = input_digest
        self._namespace = namespace
        self._closed_for: dict[str, str] = {}  # vehicle -> uid of the pod whose end was counted last

    @override
    async def run(self, pod: Object) -> None:
        """Assigns the slot on the vehicle's session, once a session; waits while the batch is not planned."""
        meta = pod["metadata"]
        session = self._sessions.get(_vehicle(pod))
        digest = self._input_digest(batch_of(pod))
        if session is None or digest is None or meta["uid"] in session.assigned:
            return
        if not self._works_for(pod, batch_of(pod)):
            _log.warning(
                "not assigned: the batch is another namespace's", pod=meta["name"], batch=batch_of(pod)
            )
            return
        assignment = pb.Assignment(
            pod_uid=meta["uid"],
            pod_name=meta["name"],
            batch_uid=batch_of(pod),
            bundle_digest=bundle_of(pod),
            input_digest=digest,
            vehicle=session.identity.vehicle,
        )
        session.orders.stamp(assignment)
        session.send(pb.GatewayMessage(assignment=assignment))
        session.assigned.add(meta["uid"])
        _log.info("slot assigned", vehicle=session.identity.vehicle, pod=meta["name"], batch=batch_of(pod))

    @override
    async def stop(self, pod: Object, grace_seconds: float, reason: str) -> None:
        """Asks the vehicle to end the slot; it answers `ended`, also for a slot that it does not know."""
        end = pb.EndAssignment(pod_uid=pod["metadata"]["uid"], grace_seconds=grace_seconds, reason=reason)
        self._sessions.send(_vehicle(pod), pb.GatewayMessage(end_assignment=end))

    @override
    async def conclude(self, pod: Object) -> bool:
        """Closes the vehicle's Node with growing patience; a ReplicaSet never removes failed pods, so we do."""
        uid, vehicle = pod["metadata"]["uid"], _vehicle(pod)
        if self._closed_for.get(vehicle) != uid:
            self._closed_for[vehicle] = uid
            self._vehicles.close(vehicle, self._pods.view(uid).reason, refusal_label(bundle_of(pod)))
        await self._vehicles.write(vehicle)
        return True

    def session_opened(self, session: Session, slots: list[pb.SlotStatus]) -> None:
        """A vehicle dialled in with these slots: what it has is adopted, what it lacks is assigned."""
        for slot in slots:
            if self.report(session, slot) is not None and not slot.ended:
                session.assigned.add(slot.pod_uid)
        self.nudge(session.identity.vehicle)

    def nudge(self, vehicle: str) -> None:
        """Has every slot of *vehicle* looked at again."""
        for pod in self._pods.on_node(node_name(vehicle)):
            self._pods.nudge(pod["metadata"]["uid"])

    def nudge_batch(self, batch_uid: str) -> None:
        """Has every slot of a batch looked at again, because it was planned."""
        for pod in self._pods.bound():
            if batch_of(pod) == batch_uid:
                self._pods.nudge(pod["metadata"]["uid"])

    def report(self, session: Session, slot: pb.SlotStatus) -> str | None:
        """A vehicle says how a slot stands; returns the uid of its batch, None when the slot is not the vehicle's.

        A slot whose pod is gone is ended.
        """
        pod = self._pods.get(slot.pod_uid)
        if pod is not None and _vehicle(pod) != session.identity.vehicle:
            return None
        if slot.ended:
            session.assigned.discard(slot.pod_uid)
        if pod is None:
            if not slot.ended:
                end = pb.EndAssignment(pod_uid=slot.pod_uid, grace_seconds=0, reason="PodGone")
                session.send(pb.GatewayMessage(end_assignment=end))
            return None
        self._pods.tell(slot.pod_uid, _view(slot))
        return batch_of(pod)

    def slot_of(self, vehicle: str, batch_uid: str) -> Object | None:
        """The pod by which *vehicle* has shards of a batch, also one that is being deleted; None without one."""
        for pod in self._pods.on_node(node_name(vehicle)):
            if self._works_for(pod, batch_uid):
                return pod
        return None

    def may_lease(self, vehicle: str, batch_uid: str) -> bool:
        """Whether *vehicle* gets more shards of a batch: with a slot that is to stay, and while it is trusted."""
        pod = self.slot_of(vehicle, batch_uid)
        is_to_stay = pod is not None and "deletionTimestamp" not in pod["metadata"]
        return is_to_stay and not self._vehicles.in_quarantine(vehicle)

    def _works_for(self, pod: Object, batch_uid: str) -> bool:
        # Whoever may make pods writes their labels: the batch of another namespace is none of theirs.
        namespace = self._namespace(batch_uid)
        return batch_of(pod) == batch_uid and namespace in (None, pod["metadata"]["namespace"])


def batch_of(pod: Object) -> str:
    """The uid of the batch that a slot works for."""
    return str((pod["metadata"].get("labels") or {}).get(wk.LABEL_BATCH_UID, ""))


def bundle_of(pod: Object) -> str:
    """The digest of the bundle that a slot runs."""
    return str(pod["metadata"].get("annotations", {}).get(wk.ANNOTATION_BUNDLE_DIGEST, ""))


def _vehicle(pod: Object) -> str:
    return vehicle_of(pod["spec"]["nodeName"]) or ""


def _view(slot: pb.SlotStatus) -> PodView:
    """What a vehicle says, as far as it can stand in a pod's status: known containers, and words of bounded length."""
    return PodView(
        containers={state.name: _container(state) for state in slot.containers if state.name in _CONTAINERS},
        ended=slot.ended,
        reason=shown(slot.reason, _MOST_REASON),
        message=shown(slot.message, _MOST_MESSAGE),
    )


def _container(state: pb.ContainerState) -> ContainerView:
    return ContainerView(
        phase=_PHASES.get(state.phase, "Waiting"),  # type: ignore[arg-type]
        reason=shown(state.reason, _MOST_REASON),
        message=shown(state.message, _MOST_MESSAGE),
        exit_code=state.exit_code,
        ready=state.ready,
        started_at=_time(state.started_unix_milliseconds),
        finished_at=_time(state.finished_unix_milliseconds),
        restarts=max(0, state.restarts),
    )


def _time(unix_milliseconds: int) -> str:
    if not 0 < unix_milliseconds < _YEAR_10000:
        return ""
    return datetime.fromtimestamp(unix_milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
