"""Who may call the door now: a vehicle whose certificate is valid, not revoked, and that does not ask too much."""

import time
from typing import NoReturn

import grpc
import structlog

from parkade_core.enrolment import problem_of_certificate
from parkade_operator.door import metrics
from parkade_operator.door.limits import VEHICLE, Exhausted, Meter, Transfers
from parkade_operator.door.revocation import Revocations
from parkade_operator.door.tls import Identity, NoIdentity, peer_identity

_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[object, object]


class Entrance:
    """Asked at the start of every call, and while a session is open."""

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations
        self._meter = Meter(VEHICLE)
        self.transfers = Transfers()

    async def admit(self, context: Context, cost: float = 1.0) -> Identity:
        """The caller, if it may call; ends the call otherwise."""
        try:
            identity = peer_identity(context)
        except NoIdentity as error:
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, str(error))
        if (problem := self.problem(identity)) is not None:
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, problem)
        try:
            self.charge(identity, cost)
        except Exhausted as error:
            await refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        return identity

    def problem(self, identity: Identity) -> str | None:
        """Why a caller of that identity has to go; None while it may stay."""
        return problem_of_certificate(
            identity.vehicle,
            identity.enrolled_at,
            identity.expires_at,
            self._revocations.moments,
            time.time(),
        )

    def charge(self, identity: Identity, cost: float = 1.0) -> None:
        """Counts a call or a message. Raises Exhausted."""
        self._meter.charge(identity.vehicle, cost)


async def refuse(context: Context, code: grpc.StatusCode, words: str) -> NoReturn:
    """Ends a call with a reason."""
    metrics.CALLS_REFUSED.labels(code.name).inc()
    _log.info("call refused", code=code.name, error=words)
    await context.abort(code, words)
