"""The enrolment port (`parkade.fleet.v1.Enrolment`): a credential and a certificate request become a certificate."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
from typing_extensions import override

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_api.wellknown import GROUP
from parkade_core.enrolment import MOST_SIMULATED, enrolment_moment, problem_of_return, simulated_vehicle
from parkade_operator.door import metrics
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import BadRequest, VehicleKey, key_digest, requested_key
from parkade_operator.door.entrance import Context, refuse
from parkade_operator.door.limits import ENROLMENTS, ENROLMENTS_OF_ADDRESS, Exhausted, Meter, address_of
from parkade_operator.door.returning import NotReturning, returning
from parkade_operator.door.revocation import Revocations
from parkade_operator.door.service_accounts import NotTheUser, PodReviewer
from parkade_operator.door.tickets import TicketRefused, Tickets
from parkade_operator.door.tls import Identity
from parkade_operator.kube.errors import KubeError

_EVERYBODY: Final = "everybody"
_MOST_ADDRESSES: Final = 10_000
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """What an administrator sets.

    *simulation_user* is the one user whose pods are simulated vehicles, *simulated_claims* are what those get.
    *renewal_grace* is for how many seconds after its certificate's end a vehicle may come back by it.
    """

    simulation_user: str
    simulated_claims: Mapping[str, str]
    renewal_grace: float


class EnrolmentService(rpc.EnrolmentServicer):
    """Serves vehicles that have no certificate yet, or one that has expired."""

    def __init__(
        self,
        authority: Authority,
        tickets: Tickets,
        reviewer: PodReviewer,
        revocations: Revocations,
        rules: EnrolmentRules,
    ) -> None:
        self._authority = authority
        self._tickets = tickets
        self._reviewer = reviewer
        self._revocations = revocations
        self._rules = rules
        self._meter = Meter(ENROLMENTS)
        self._addresses = Meter(ENROLMENTS_OF_ADDRESS, most=_MOST_ADDRESSES)

    @override
    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.EnrolReply:
        """The vehicle's certificate, for what it shows to be that vehicle."""
        try:
            self._addresses.charge(address_of(context.peer()))
            key = requested_key(request.csr)
            self._meter.charge(_EVERYBODY)
            identity = await self._identity(request, key)
        except Exhausted as error:
            await refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except BadRequest as error:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except (TicketRefused, NotTheUser, NotReturning) as error:
            await refuse(context, grpc.StatusCode.PERMISSION_DENIED, str(error))
        except KubeError as error:
            # Its words are for us: whoever asks here is not known yet.
            _log.warning("not enrolled: the API server did not answer", error=str(error))
            await refuse(context, grpc.StatusCode.UNAVAILABLE, "the cluster does not answer: try again")
        metrics.count_enrolment(request.WhichOneof("credential"))
        _log.info("enrolled", vehicle=identity.vehicle, by=request.WhichOneof("credential"))
        return pb.EnrolReply(
            certificate=self._authority.sign(key, identity), door_ca=self._authority.certificate
        )

    async def _identity(self, request: pb.EnrolRequest, key: VehicleKey) -> Identity:
        # The order matters: whoever revokes takes the tickets away first and notes the moment last, so a ticket that
        # is still there after these two were read was given for an enrolment from then on.
        revoked, now = await self._revocations.fetch(), time.time()
        match request.WhichOneof("credential"):
            case "token":
                ticket = await self._tickets.redeem(request.token, key_digest(key), revoked)
                vehicle, claims = ticket.vehicle, ticket.claims
            case "service_account_token":
                pod = await self._reviewer.pod_of(request.service_account_token)
                if request.simulated >= MOST_SIMULATED:
                    raise TicketRefused(f"a pod simulates at most {MOST_SIMULATED} vehicles")
                vehicle, claims = simulated_vehicle(pod, request.simulated), self._rules.simulated_claims
                if vehicle in revoked:
                    raise TicketRefused(f"the simulated vehicle {vehicle} was revoked: delete its pod")
            case "expired_certificate":
                return self._back(
                    returning(request.expired_certificate, key, self._authority.certificate), revoked
                )
            case _:
                raise TicketRefused(
                    "no credential: send a token, a ServiceAccount's token or an expired certificate"
                )
        labels = {f"{GROUP}/{name}": value for name, value in claims.items()}
        return Identity(vehicle, labels, enrolment_moment(vehicle, now, revoked))

    def _back(self, identity: Identity, revoked: Mapping[str, float]) -> Identity:
        """The same enrolment goes on. Raises NotReturning."""
        grace = self._rules.renewal_grace
        problem = problem_of_return(
            identity.vehicle, identity.enrolled_at, identity.expires_at, revoked, time.time(), grace
        )
        if problem is not None:
            raise NotReturning(problem)
        return identity
