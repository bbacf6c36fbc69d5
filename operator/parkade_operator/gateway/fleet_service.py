"""The door's RPCs (`parkade.fleet.v1`): who calls is in the certificate, what is answered is decided elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NoReturn

import grpc
import structlog
from typing_extensions import override

from parkade_api import __version__
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_api.wellknown import MOST_LEASED_SHARDS, Reason
from parkade_core.vehicle.skew import problem_of_clock
from parkade_operator.door import limits, metrics
from parkade_operator.door.certificates import BadRequest, requested_key
from parkade_operator.door.entrance import refuse
from parkade_operator.door.orders import Orders, problem_of_hello
from parkade_operator.door.reception import Reception
from parkade_operator.door.sessions import Ending, Sessions
from parkade_operator.door.sessions import Session as VehicleSession
from parkade_operator.door.tls import Identity
from parkade_operator.gateway import messages
from parkade_operator.gateway.logs import NotAsked, VehicleLogs
from parkade_operator.gateway.reclaims import ReclaimLog
from parkade_operator.gateway.slots import VehicleSlots
from parkade_operator.gateway.upload import collect
from parkade_operator.gateway.vehicles import Vehicles
from parkade_operator.shards import errors
from parkade_operator.shards.service import Batches

_REPLACED = (
    "A new connection of this vehicle replaced one that was open. After a cut that is as it should be; when it "
    "comes again and again, two vehicles have the same key: run `kubectl parkade revoke` and enrol it anew."
)
_RETRY_LEASE_SECONDS = 1.0
_STATUS: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (limits.Exhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (NotAsked, grpc.StatusCode.PERMISSION_DENIED),
    (BadRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.UnknownBatch, grpc.StatusCode.NOT_FOUND),
    (errors.NoSuchObject, grpc.StatusCode.NOT_FOUND),
    (errors.NotLeased, grpc.StatusCode.PERMISSION_DENIED),
    (errors.BadPiece, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.FileRefused, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.ShardsError, grpc.StatusCode.UNAVAILABLE),
)
_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[object, object]


class FleetService(rpc.FleetServicer):
    """Serves all vehicles."""

    def __init__(
        self,
        reception: Reception,
        sessions: Sessions,
        vehicles: Vehicles,
        slots: VehicleSlots,
        batches: Batches,
        logs: VehicleLogs,
        reclaims: ReclaimLog,
        beat_seconds: int,
        on_change: Callable[[], None],
    ) -> None:
        self._entrance = reception.entrance
        self._authority = reception.authority
        self._notices = reception.notices
        self._sessions = sessions
        self._vehicles = vehicles
        self._slots = slots
        self._batches = batches
        self._logs = logs
        self._reclaims = reclaims
        self._beat_seconds = beat_seconds
        self._on_change = on_change

    @override
    async def Session(  # type: ignore[override] # writes by the context, so that a write can be given up
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> None:
        """One vehicle's stream, until either side ends it or a newer session of the vehicle opens."""
        identity = await self._entrance.admit(context, limits.SESSION_COST)
        incoming = aiter(request_iterator)
        try:
            first = await asyncio.wait_for(anext(incoming, None), limits.FIRST_MESSAGE_SECONDS)
        except TimeoutError:
            await refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "no hello came")
        if first is None or not first.HasField("hello"):
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "the first message must be hello")
        if (problem := problem_of_hello(first.hello)) is not None:
            await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, problem)
        if self._sessions.get(identity.vehicle) is not None:
            self._notices.warn(identity.vehicle, "SessionReplaced", _REPLACED)
        session = self._sessions.enter(identity, Orders.begun(first.hello))
        _log.info("session opened", vehicle=identity.vehicle, agent=first.hello.agent_version)
        try:
            self._welcome(session, first.hello)
            await session.converse(incoming, self._receive, context.write)
        finally:
            self._sessions.leave(session)
            _log.info("session closed", vehicle=identity.vehicle)
        if session.ending is not None:
            if session.ending.code is grpc.StatusCode.UNAUTHENTICATED:
                self._logs.end(identity.vehicle)
            await _tell(context, session.ending)

    @override
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.Chunk]:
        """The bytes of a leased shard or of a bundle's file."""
        identity = await self._entrance.admit(context)
        try:
            with self._entrance.transfers.one(identity.vehicle):
                async for data in self._read(identity.vehicle, request):
                    await self._stay(identity, context)
                    yield pb.Chunk(data=data)
        except (errors.ShardsError, limits.Exhausted) as error:
            await _refuse(context, error)

    @override
    async def Store(
        self, request_iterator: AsyncIterator[pb.StoreRequest], context: Context
    ) -> pb.StoreReply:
        """Takes one piece of results; answers when its verdicts are durable."""
        identity = await self._entrance.admit(context)
        try:
            transfers = self._entrance.transfers
            with transfers.one(identity.vehicle), transfers.memory() as hold:
                header, data = await collect(request_iterator, hold)
                await self._stay(identity, context)
                verdicts = await self._batches.store_piece(header.batch_uid, identity.vehicle, header, data)
        except (errors.ShardsError, limits.Exhausted, TimeoutError) as error:
            await _refuse(context, error)
        self._vehicles.committed(identity.vehicle)
        self._on_change()
        outcomes = {True: pb.Verdict.COMMITTED, False: pb.Verdict.LOST}
        return pb.StoreReply(
            verdicts=[pb.Verdict(shard=shard, outcome=outcomes[won]) for shard, won in verdicts]
        )

    @override
    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.EnrolReply:
        """A new certificate of the same enrolment, for another key if the vehicle made one."""
        identity = await self._entrance.admit(context, limits.SESSION_COST)
        try:
            certificate = self._authority.sign(requested_key(request.csr), identity)
        except BadRequest as error:
            await _refuse(context, error)
        metrics.ENROLMENTS.labels("renewed").inc()
        _log.info("certificate renewed", vehicle=identity.vehicle)
        return pb.EnrolReply(certificate=certificate, door_ca=self._authority.certificate)

    @override
    async def Logs(self, request_iterator: AsyncIterator[pb.LogChunk], context: Context) -> pb.LogsReply:
        """Takes the log that somebody waits for; answers when it has ended or nobody reads it any more."""
        identity = await self._entrance.admit(context)
        try:
            await self._logs.answer(identity.vehicle, self._while_welcome(identity, request_iterator))
        except (NotAsked, TimeoutError) as error:
            await _refuse(context, error)
        return pb.LogsReply()

    async def _stay(self, identity: Identity, context: Context) -> None:
        """What was begun before a revocation and goes on after it does not count."""
        if (problem := self._entrance.problem(identity)) is not None:
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, problem)

    async def _while_welcome(
        self, identity: Identity, chunks: AsyncIterator[pb.LogChunk]
    ) -> AsyncIterator[pb.LogChunk]:
        async for chunk in chunks:
            if self._entrance.problem(identity) is not None:
                return
            yield chunk

    def _welcome(self, session: VehicleSession, hello: pb.Hello) -> None:
        vehicle, now = session.identity.vehicle, time.time()
        self._vehicles.connect(session.identity)
        if hello.unix_milliseconds and (problem := problem_of_clock(hello.unix_milliseconds / 1000, now)):
            _log.warning("clocks differ", vehicle=vehicle, problem=problem)
            self._notices.warn(vehicle, "ClockDiffers", problem)
        welcome = pb.Welcome(gateway_version=__version__, beat_seconds=self._beat_seconds)
        welcome.unix_milliseconds = round(now * 1000)
        session.send(pb.GatewayMessage(welcome=welcome))
        self.send_policy(vehicle)
        self._adopt(session, hello)
        self._slots.session_opened(session, list(hello.slots))

    def _adopt(self, session: VehicleSession, hello: pb.Hello) -> None:
        """What the vehicle holds is what it says, where it has a slot for it and no other took it meanwhile."""
        vehicle = session.identity.vehicle
        kept = [held for held in hello.leases if self._slots.slot_of(vehicle, held.batch_uid) is not None]
        for uid in self._batches.uids():
            leases = {held.lease for held in kept if held.batch_uid == uid}
            self._batches.release(uid, vehicle, leases)
        for held in kept:
            shards = [item.shard for item in held.shards][:MOST_LEASED_SHARDS]
            self._batches.adopt(held.batch_uid, vehicle, held.lease, shards)

    def tell_losses(self, vehicle: str, shards: Sequence[tuple[str, int]]) -> None:
        """Tells the vehicle, if it has a session, of shards that it need not finish: lease and number of each."""
        self._sessions.send(vehicle, messages.lost(shards))

    def send_policy(self, vehicle: str) -> None:
        """Tells the vehicle's guard the rules of its pool, or that it is in none."""
        policy = self._vehicles.policy(vehicle)
        if policy is not None:
            self._sessions.send(vehicle, pb.GatewayMessage(policy=policy))

    def _receive(self, session: VehicleSession, message: pb.VehicleMessage) -> None:
        if (ending := self._ending(session.identity, message.ByteSize())) is not None:
            session.end(ending)
            return
        vehicle = session.identity.vehicle
        match message.WhichOneof("message"):
            case "telemetry":
                self._vehicles.hear(session.identity, message.telemetry)
                self._reclaims.hear(vehicle, message.telemetry.reclaims)
            case "slot_status":
                self._slot_told(session, message.slot_status)
            case "lease_request":
                session.send(pb.GatewayMessage(lease_grant=self._lease(vehicle, message.lease_request)))
            case "handback":
                back = message.handback
                shards = list(back.shards)
                self._batches.hand_back(
                    back.batch_uid, vehicle, back.lease, shards, back.reason, back.message
                )
                self._on_change()
            case other:
                _log.warning("message ignored", vehicle=vehicle, kind=other)

    def _slot_told(self, session: VehicleSession, slot: pb.SlotStatus) -> None:
        batch_uid, vehicle = self._slots.report(session, slot), session.identity.vehicle
        if batch_uid is None or not slot.ended:
            return
        self._batches.release(batch_uid, vehicle)
        if slot.reason in {Reason.BUNDLE_REFUSED, Reason.MODEL_REFUSED}:
            self._batches.show_refusal(batch_uid, slot.message)
        if slot.reason == Reason.MODEL_REFUSED:
            self._batches.refuse_model(batch_uid, vehicle, slot.pod_uid, slot.message)
        self._on_change()

    def _ending(self, identity: Identity, size: int) -> Ending | None:
        """Why a session that has just said something may not go on."""
        if (problem := self._entrance.problem(identity)) is not None:
            return Ending(grpc.StatusCode.UNAUTHENTICATED, problem)
        try:
            self._entrance.charge(identity, limits.cost_of_message(size))
        except limits.Exhausted as error:
            return Ending(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        return None

    def _lease(self, vehicle: str, request: pb.LeaseRequest) -> pb.LeaseGrant:
        may_lease = self._slots.may_lease(vehicle, request.batch_uid)
        grant = self._batches.lease(request.batch_uid, vehicle, request.want) if may_lease else None
        self._on_change()
        if grant is None:
            return pb.LeaseGrant(pod_uid=request.pod_uid, retry_after_seconds=_RETRY_LEASE_SECONDS)
        return messages.granted(request.pod_uid, grant)

    def _read(self, vehicle: str, request: pb.FetchRequest) -> AsyncIterator[bytes]:
        if request.HasField("shard"):
            ref = request.shard
            return self._batches.fetch_shard(ref.batch_uid, vehicle, ref.lease, ref.shard)
        batch_uid = request.bundle_file.batch_uid
        if self._slots.slot_of(vehicle, batch_uid) is None:
            raise errors.NotLeased("the vehicle has no slot of that batch")
        return self._batches.bundle_file(batch_uid, request.bundle_file.name)


async def _tell(context: Context, ending: Ending) -> NoReturn:
    try:
        await asyncio.wait_for(context.abort(ending.code, ending.words), limits.FIRST_MESSAGE_SECONDS)
    except TimeoutError:
        # The vehicle does not read this either. A cancelled call is one that gRPC forgets without an answer.
        raise asyncio.CancelledError from None


async def _refuse(context: Context, error: Exception) -> NoReturn:
    code = next(code for kind, code in _STATUS if isinstance(error, kind))
    await refuse(context, code, str(error) or "the bytes came too slowly")
