"""All of the door but what vehicles come for: who they are, whether they may enter, and how they enrol."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
import structlog

from parkade_api.proto.fleet.v1 import fleet_pb2_grpc
from parkade_operator.door.authority import Authority
from parkade_operator.door.enrolment import EnrolmentRules, EnrolmentService
from parkade_operator.door.entrance import Entrance
from parkade_operator.door.limits import ENROLMENT_OPTIONS
from parkade_operator.door.notices import Notices
from parkade_operator.door.revocation import Revocations
from parkade_operator.door.service_accounts import PodReviewer
from parkade_operator.door.sessions import Ending, Sessions
from parkade_operator.door.tickets import Tickets
from parkade_operator.kube.client import KubeClient

_log = structlog.get_logger()


class Reception:
    """What the leading gateway has of it. Made inside the event loop; nothing runs before `parts` do."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        authority: Authority,
        sessions: Sessions,
        notices: Notices,
        rules: EnrolmentRules,
    ) -> None:
        self.authority = authority
        self.notices = notices
        self._sessions = sessions
        self._revocations = Revocations(client, namespace, self._dismiss)
        self.entrance = Entrance(self._revocations)
        self._tickets = Tickets(client, namespace)
        reviewer = PodReviewer(client, rules.simulation_user)
        self._enrolment = EnrolmentService(authority, self._tickets, reviewer, self._revocations, rules)

    @property
    def synced(self) -> asyncio.Event:
        """Set when it is known who was revoked: before that nobody may enter."""
        return self._revocations.synced

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as this gateway leads."""
        return [self._revocations.watch(), self._tickets.sweep(), self.notices.work()]

    def enrolment_server(self, place: str) -> grpc.aio.Server:
        """The enrolment port at *place* (address:port), not yet open."""
        server = grpc.aio.server(options=ENROLMENT_OPTIONS)
        fleet_pb2_grpc.add_EnrolmentServicer_to_server(self._enrolment, server)
        server.add_secure_port(place, self.authority.port_credentials())
        return server

    def _dismiss(self) -> None:
        """Ends the sessions of whoever may not stay."""
        for session in self._sessions.all():
            vehicle = session.identity.vehicle
            if (problem := self.entrance.problem(session.identity)) is not None:
                _log.info("session ended", vehicle=vehicle, problem=problem)
                session.end(Ending(grpc.StatusCode.UNAUTHENTICATED, problem))
                self.notices.warn(vehicle, "VehicleRevoked", problem)
