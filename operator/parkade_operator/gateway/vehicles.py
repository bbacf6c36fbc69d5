"""What the gateway knows of every vehicle: fetched from sessions, judged by core, stated to the Node controller."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import structlog

from parkade_api import vss
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Condition, Reason
from parkade_core.vehicle.assess import Assessment, Relayed, assess
from parkade_core.vehicle.census import VehicleView
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.node import node_name
from parkade_core.vehicle.patience import hold_seconds
from parkade_core.vehicle.readings import Reading, Value
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.policy import policy_message
from parkade_operator.gateway.pools import AppliedPool, Pools
from parkade_operator.gateway.relay import relayed
from parkade_operator.gateway.statements import batch_uid_of, claims_on, desire, quarantine_on, refusals_on
from parkade_operator.kube.workqueue import WorkQueue
from parkade_operator.kubelet.nodes import NodeController
from parkade_operator.kubelet.pods import PodController

# The defaults of VehiclePool, for vehicles that are in none.
_STALE_WITHOUT_POOL = 30.0
_AUTONOMY_WITHOUT_POOL = 3600.0
_LONGEST_TEXT = 64
_log = structlog.get_logger()


@dataclass(slots=True)
class Vehicle:
    """One vehicle. Times are seconds on the gateway's monotonic clock."""

    identity: Identity
    heard_at: float
    has_spoken: bool = False  # to this gateway
    received: dict[str, tuple[Reading, float]] = field(default_factory=dict)  # path -> as told, and when
    told: Relayed = field(default_factory=dict)  # the vehicle's own verdicts
    assessment: Assessment | None = None
    closed_until: float = 0.0
    endings: int = 0  # slots that the vehicle ended, since its last committed shard
    refused: dict[str, float] = field(default_factory=dict)  # label of a bundle -> until when
    timer: asyncio.TimerHandle | None = None


class Vehicles:
    """All vehicles that have a Node or a session."""

    def __init__(
        self,
        nodes: NodeController,
        pods: PodController,
        pools: Pools,
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self._nodes = nodes
        self._pods = pods
        self._pools = pools
        self._clock = clock
        self._on_change = on_change
        self._vehicles: dict[str, Vehicle] = {}
        self._departures = WorkQueue(self._depart, workers=2, name="departures")

    async def work(self) -> None:
        """Removes Nodes and pods of vehicles that were silent for too long, until cancelled."""
        await self._departures.run()

    def adopt(self) -> None:
        """Takes over the Nodes that an earlier gateway left; their vehicles have until they count as silent to dial."""
        for name in self._nodes.known():
            self.reconsider(name)

    def reconsider(self, name: str) -> None:
        """Judges a vehicle anew; one that nobody has spoken of yet, or that was forgotten, is known by its Node."""
        node = self._nodes.get(name)
        if name not in self._vehicles and node is not None:
            vehicle = Vehicle(Identity(name, claims_on(node)), self._clock())
            vehicle.refused = dict.fromkeys(refusals_on(node), self._clock() + hold_seconds(1))
            self._vehicles[name] = vehicle
        if name in self._vehicles:
            self.judge(name)

    def connect(self, identity: Identity) -> None:
        """A session was opened."""
        vehicle = self._vehicles.setdefault(identity.vehicle, Vehicle(identity, self._clock()))
        vehicle.identity = identity
        vehicle.heard_at = self._clock()
        self.judge(identity.vehicle)

    def hear(self, identity: Identity, telemetry: pb.Telemetry) -> None:
        """Takes the readings of one message; a vehicle that was forgotten while it was silent is known again.

        Only what Parkade reads is kept: whatever a vehicle sends, it costs a few values.
        """
        vehicle = self._vehicles.setdefault(identity.vehicle, Vehicle(identity, self._clock()))
        name, now = identity.vehicle, self._clock()
        vehicle.heard_at, vehicle.has_spoken = now, True
        for signal in telemetry.signals:
            if (reading := _reading(signal)) is not None:
                vehicle.received[signal.path] = (reading, now)
        vehicle.told = relayed(telemetry.judgements)
        self.judge(name)

    def committed(self, name: str) -> None:
        """The vehicle finished work: its earlier endings are forgiven."""
        if (vehicle := self._vehicles.get(name)) is not None:
            vehicle.endings = 0

    def close(self, name: str, reason: str, refused_label: str) -> None:
        """Closes the Node to new slots for a while, longer each time, because the vehicle ended one."""
        vehicle = self._vehicles.get(name)
        if vehicle is None:
            return
        vehicle.endings += 1
        until = self._clock() + hold_seconds(vehicle.endings)
        if reason in {Reason.BUNDLE_REFUSED, Reason.MODEL_REFUSED}:
            vehicle.refused[refused_label] = until
        vehicle.closed_until = until
        self.judge(name)

    async def write(self, name: str) -> None:
        """Returns when the Node of the vehicle says what was judged last. Raises KubeError."""
        await self._nodes.write(name)

    def judge_all(self) -> None:
        """Judges every vehicle anew, because a pool changed."""
        for name in list(self._vehicles):
            self.judge(name)

    def judge(self, name: str) -> None:
        """One call of core; what follows is stated to the Node controller, and the next look is arranged."""
        vehicle, now = self._vehicles[name], self._clock()
        pool = self._pools.of(vehicle.identity)
        silent_at, gone_at = _limits(vehicle, pool)
        connected = now < silent_at
        if now >= gone_at:
            self._forget(name)
            return
        if connected and not vehicle.has_spoken and self._nodes.get(name) is not None:
            # This gateway has just started: the Node stays as it is until the vehicle has spoken.
            self._look_again(name, silent_at, now)
            return
        readings = {
            path: replace(told, age=told.age + now - at) for path, (told, at) in vehicle.received.items()
        }
        quarantined = quarantine_on(self._nodes.get(name))
        facts = Facts(readings, pool.rules, quarantined_because=quarantined) if pool else None
        before, told = vehicle.assessment, vehicle.told
        vehicle.assessment = assess(facts, before, now, connected=connected, relayed=told)
        self._state(name, vehicle, vehicle.assessment, now)
        held = (vehicle.closed_until, *vehicle.refused.values())
        times = (vehicle.assessment.recheck_at, silent_at, gone_at, *held)
        self._look_again(name, min(at for at in times if at is not None and at > now), now)
        self._on_change()

    def _state(self, name: str, vehicle: Vehicle, assessment: Assessment, now: float) -> None:
        """Tells the Node controller what the vehicle's Node shall say."""
        refused = {label: now < until for label, until in vehicle.refused.items()}
        wanted = desire(
            vehicle.identity,
            assessment,
            self.pool_of(name),
            refused,
            claims_on(self._nodes.get(name)),
            is_held=now < vehicle.closed_until,
        )
        self._nodes.desire(name, wanted)

    def views(self) -> list[VehicleView]:
        """Every vehicle as the census counts it."""
        return [self._view(name, vehicle) for name, vehicle in self._vehicles.items()]

    def is_silent(self, name: str) -> bool:
        """Whether nothing was heard of the vehicle for longer than its pool allows."""
        vehicle = self._vehicles.get(name)
        if vehicle is None:
            return True
        silent_at, _ = _limits(vehicle, self._pools.of(vehicle.identity))
        return self._clock() >= silent_at

    def silent_for(self, name: str) -> float | None:
        """Seconds since the vehicle's last word; None when this gateway has heard none."""
        vehicle = self._vehicles.get(name)
        return self._clock() - vehicle.heard_at if vehicle is not None and vehicle.has_spoken else None

    def policy(self, name: str) -> pb.Policy | None:
        """The policy that the vehicle's guard shall follow, one that names no pool while the vehicle is in none.

        None for a vehicle that nobody knows, and while it is not known which pools there are: its guard keeps to the
        last one. A pool that this gateway cannot read, made for a newer one, may be that of a vehicle in no other.
        """
        vehicle = self._vehicles.get(name)
        if vehicle is None or not self._pools.synced.is_set():
            return None
        pool = self._pools.of(vehicle.identity)
        if pool is None:
            return pb.Policy() if self._pools.are_all_read else None
        return policy_message(pool.rules, quarantine_on(self._nodes.get(name)))

    def quarantines(self) -> dict[str, str]:
        """Why vehicles are not trusted, by vehicle: those alone that have a Node which says so."""
        whys = {name: quarantine_on(self._nodes.get(name)) for name in self._nodes.known()}
        return {name: why for name, why in whys.items() if why}

    def in_quarantine(self, name: str) -> bool:
        """Whether the vehicle's Node says that it is not trusted."""
        return bool(quarantine_on(self._nodes.get(name)))

    def pool_of(self, name: str) -> str | None:
        """The name of the vehicle's pool; None while it is in none."""
        vehicle = self._vehicles.get(name)
        pool = self._pools.of(vehicle.identity) if vehicle else None
        return pool.rules.pool if pool else None

    def names(self) -> Iterable[str]:
        """All vehicles."""
        return list(self._vehicles)

    def _view(self, name: str, vehicle: Vehicle) -> VehicleView:
        assessment = vehicle.assessment
        slots = self._pods.on_node(node_name(name))
        return VehicleView(
            pool=self.pool_of(name),
            online=not self.is_silent(name),
            eligible=bool(assessment and assessment.eligible),
            reason=assessment.reasons[0] if assessment and assessment.reasons else None,
            has_consent=_holds(assessment, Condition.CONSENT_CURRENT),
            in_quarantine=self.in_quarantine(name),
            busy_with=next((uid for pod in slots if (uid := batch_uid_of(pod))), None),
        )

    def _look_again(self, name: str, at: float, now: float) -> None:
        vehicle = self._vehicles[name]
        if vehicle.timer is not None:
            vehicle.timer.cancel()
        # A little late is better than a little early, which would decide nothing and ask again.
        vehicle.timer = asyncio.get_running_loop().call_later(at - now + 0.01, self._judge_known, name)

    def _judge_known(self, name: str) -> None:
        if name in self._vehicles:
            self.judge(name)

    def _forget(self, name: str) -> None:
        _log.info("vehicle forgotten: silent for longer than its pool's autonomy", vehicle=name)
        self._vehicles.pop(name)
        self._departures.add(name)
        self._on_change()

    async def _depart(self, name: str) -> None:
        """Deletes the pods before the Node: the pod garbage collector would take a minute for them.

        The Node of a vehicle in quarantine stays: it is where that is written.
        """
        if name in self._vehicles:
            return
        for pod in self._pods.on_node(node_name(name)):
            await self._pods.remove(pod)
        if not quarantine_on(self._nodes.get(name)):
            await self._nodes.delete(name)


def _holds(assessment: Assessment | None, condition: Condition) -> bool:
    return assessment is not None and assessment.verdict(condition).holds


def _limits(vehicle: Vehicle, pool: AppliedPool | None) -> tuple[float, float]:
    """When the vehicle counts as silent, and when as gone."""
    stale_after = pool.rules.telemetry_stale_after if pool else _STALE_WITHOUT_POOL
    autonomy = pool.rules.autonomy if pool else _AUTONOMY_WITHOUT_POOL
    return vehicle.heard_at + stale_after, vehicle.heard_at + max(autonomy, stale_after)


def _reading(signal: pb.Signal) -> Reading | None:
    kind = signal.WhichOneof("value")
    if kind is None or signal.path not in vss.PATHS:
        return None
    value: Value = getattr(signal, kind)
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return None
    return Reading(value, signal.age_milliseconds / 1000, signal.fault[:_LONGEST_TEXT])
