"""All parts of the gateway, made and joined; nothing here runs yet."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from parkade_api.figures import Reading
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc
from parkade_api.proto.gateway.v1 import gateway_pb2_grpc
from parkade_core.vehicle.node import vehicle_nodes, vehicle_of
from parkade_core.vehicle.pod import slot_rules
from parkade_operator.door.authority import Authority
from parkade_operator.door.enrolment import EnrolmentRules
from parkade_operator.door.limits import DOOR_OPTIONS, OPTIONS
from parkade_operator.door.notices import Notices
from parkade_operator.door.reception import Reception
from parkade_operator.door.sessions import Sessions
from parkade_operator.gateway.changes import Changes
from parkade_operator.gateway.fleet_service import FleetService
from parkade_operator.gateway.internal import GatewayService
from parkade_operator.gateway.logs import VehicleLogs
from parkade_operator.gateway.metrics import read_snapshot
from parkade_operator.gateway.pools import Pools
from parkade_operator.gateway.reclaims import ReclaimLog
from parkade_operator.gateway.settings import Settings
from parkade_operator.gateway.slots import VehicleSlots
from parkade_operator.gateway.snapshot import Overview
from parkade_operator.gateway.tokens import TokenReviewer
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.owner import Owner
from parkade_operator.kubelet.pods import PodController
from parkade_operator.shards.service import Batches

# Pings that a busy gateway reads late come in bunches; the operator is no attacker that has to be held off.
_INTERNAL_OPTIONS = (*OPTIONS, ("grpc.http2.max_ping_strikes", 0))


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that `__main__` runs."""

    pools: Pools
    nodes: NodeController
    pods: PodController
    vehicles: Vehicles
    slots: VehicleSlots
    fleet: FleetService
    batches: Batches
    overview: Overview
    changes: Changes
    node_changes: Changes
    sessions: Sessions
    logs: VehicleLogs
    reception: Reception
    door: grpc.aio.Server
    enrolment: grpc.aio.Server
    internal: grpc.aio.Server

    def readings(self) -> Iterator[Reading]:
        """What Prometheus is shown of the fleet and its work."""
        snapshot = self.overview.snapshot()
        strays = sum(view.pool is None for view in self.vehicles.views())
        return read_snapshot(snapshot, strays, len(self.sessions.all()))


def wire(
    settings: Settings, client: KubeClient, authority: Authority, batches: Batches, changes: Changes
) -> Gateway:
    """Joins the parts by the calls that one makes on another. Raises RuntimeError when a port cannot be opened."""
    events = EventRecorder(client, "parkade-gateway")
    sessions = Sessions()
    pools = Pools(client, changes.notify)
    node_changes = Changes()
    nodes, pods = _kubelet(settings, client, events, changes, node_changes)
    vehicles = Vehicles(nodes, pods, pools, time.monotonic, changes.notify)
    slots = VehicleSlots(sessions, vehicles, pods, batches.input_digest, batches.namespace)
    pods.serve(slots)
    reception = _reception(settings, client, authority, sessions, Notices(events, nodes.get))
    logs = VehicleLogs(sessions, pods, vehicles.silent_for, new_id)
    reclaims, beat = ReclaimLog(vehicles.pool_of, time.monotonic), settings.beat_seconds
    fleet = FleetService(reception, sessions, vehicles, slots, batches, logs, reclaims, beat, changes.notify)
    batches.loss_listeners.append(fleet.tell_losses)
    overview = Overview(batches.status, pools, vehicles, pods, reclaims)
    service = GatewayService(
        batches, TokenReviewer(client, settings.operator_user), changes, overview.snapshot
    )
    return Gateway(
        pools=pools,
        nodes=nodes,
        pods=pods,
        vehicles=vehicles,
        slots=slots,
        fleet=fleet,
        batches=batches,
        overview=overview,
        changes=changes,
        node_changes=node_changes,
        sessions=sessions,
        logs=logs,
        reception=reception,
        door=_door(settings, authority, fleet),
        enrolment=reception.enrolment_server(_place(settings.listen_address, settings.enrolment_port)),
        internal=_internal(settings, authority, service),
    )


def new_id() -> str:
    """An id for a lease, an attempt or a leader's nonce."""
    return str(uuid.uuid4())


def _reception(
    settings: Settings, client: KubeClient, authority: Authority, sessions: Sessions, notices: Notices
) -> Reception:
    grace = settings.renewal_grace_seconds
    rules = EnrolmentRules(settings.simulation_user, settings.simulation_claims, grace)
    return Reception(client, settings.namespace, authority, sessions, notices, rules)


def _owner(settings: Settings, client: KubeClient) -> Owner | None:
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{settings.node_owner}"
    return Owner(client, path) if settings.node_owner else None


def _kubelet(
    settings: Settings, client: KubeClient, events: EventRecorder, changes: Changes, node_changes: Changes
) -> tuple[NodeController, PodController]:
    def node_changed() -> None:
        changes.notify()
        node_changes.notify()

    kind = vehicle_nodes(settings.node_address, settings.kubelet_port)
    nodes = NodeController(client, settings.holder, kind, node_changed, _owner(settings, client))
    rules = slot_rules(settings.node_address)
    return nodes, PodController(client, _is_vehicle_node, rules, events, changes.notify)


def _is_vehicle_node(name: str) -> bool:
    return vehicle_of(name) is not None


def _door(settings: Settings, authority: Authority, fleet: FleetService) -> grpc.aio.Server:
    server = grpc.aio.server(options=DOOR_OPTIONS)
    fleet_pb2_grpc.add_FleetServicer_to_server(fleet, server)
    place = _place(settings.listen_address, settings.door_port)
    server.add_secure_port(place, authority.port_credentials(vehicles_only=True))
    return server


def _internal(settings: Settings, authority: Authority, service: GatewayService) -> grpc.aio.Server:
    server = grpc.aio.server(options=_INTERNAL_OPTIONS)
    gateway_pb2_grpc.add_GatewayServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    place = _place(settings.listen_address, settings.internal_port)
    server.add_secure_port(place, authority.port_credentials())
    return server


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
