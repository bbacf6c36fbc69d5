"""What the gateway tells Prometheus about its door: sessions, refused calls, enrolments, certificates, reclaims."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from parkade_api.figures import from_zero, one_of
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import Reason

SESSIONS_OPENED: Final = Counter(
    "parkade_sessions_opened",
    "Sessions that vehicles opened. Far more than vehicles an hour: connections do not last.",
)
SESSIONS_ENDED: Final = Counter(
    "parkade_sessions_ended",
    "Sessions that ended, by code: OK is the vehicle's own end or a cut line; ABORTED a newer session of the same"
    " vehicle (many: two vehicles with one key); RESOURCE_EXHAUSTED asked too much or did not"
    " read; UNAUTHENTICATED revoked.",
    ["code"],
)
CALLS_REFUSED: Final = Counter(
    "parkade_calls_refused",
    "Calls of vehicles that were refused, by code; the log says whose and why. UNAVAILABLE is trouble of ours, the"
    " others are the vehicle's.",
    ["code"],
)
ENROLMENTS: Final = from_zero(
    Counter(
        "parkade_enrolments",
        "Certificates by outcome: token (a new vehicle), pod (a simulated one), renewed, returned (by one that"
        " had expired while the vehicle was away). None renewed for a day while"
        " vehicles are online: they will be locked out soon.",
        ["outcome"],
    ),
    ("token", "pod", "renewed", "returned"),
)
CERTIFICATE_EXPIRY: Final = Gauge(
    "parkade_certificate_expiry_timestamp_seconds",
    "When a certificate ends, in Unix time: of the authority, of the ports, of the kubelet port. The last two are"
    " renewed at two thirds of their life; less than a third left means that renewing fails.",
    ["certificate"],
)
RECLAIM_SECONDS: Final = from_zero(
    Histogram(
        "parkade_reclaim_seconds",
        "How long vehicles with work took to stop it, from the signal to the last CPU time used, as their agents"
        " measured. The promise to owners; over 0.25 s: read the runbook of ParkadeReclaimSlow.",
        ["reason"],
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    ),
    Reason,
)


def count_enrolment(credential: str | None) -> None:
    """A certificate was given for that field of an EnrolRequest."""
    outcomes = {"token": "token", "service_account_token": "pod", "expired_certificate": "returned"}
    ENROLMENTS.labels(outcomes[credential or ""]).inc()


def observe_reclaim(reclaim: fleet_pb2.Reclaim) -> None:
    """A vehicle told how long a reclaim took."""
    RECLAIM_SECONDS.labels(one_of(Reason, reclaim.reason)).observe(reclaim.seconds)
