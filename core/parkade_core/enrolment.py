"""Who may become a vehicle: enrolment tickets, claims, and enrolments that were revoked.

A ticket is what the cluster keeps of a one-time token: everything but the token's secret, under the secret's
digest. It says which vehicle the token makes and until when. All moments are unix seconds.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import orjson

from parkade_api.wellknown import CONFIG_MAP_REVOKED, GROUP, LABEL_SIMULATED

MOST_CLAIMS: Final = 16
SKEW_SECONDS: Final = 300
"""How far a clock may be behind: vehicles' certificates are valid from that long before they are signed."""
SIMULATED_PREFIX: Final = "sim-"
MOST_SIMULATED: Final = 1000
"""Vehicles that one pod may simulate."""
_LONGEST_ID: Final = 50
_DIGEST_DIGITS: Final = 8

# How a Deployment's pods' names end, in the letters of k8s.io/apimachinery/pkg/util/rand; the ending is unique.
_POD_OF_DEPLOYMENT: Final = re.compile(
    r".*-(?P<ending>[bcdfghjklmnpqrstvwxz24-9]{7,10}-[bcdfghjklmnpqrstvwxz24-9]{5})"
)

# A vehicle's id is part of its Node's name and a label's value; a claim is a label of our group.
_VEHICLE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?")
_CLAIM: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?")
_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SIMULATED: Final = LABEL_SIMULATED.removeprefix(f"{GROUP}/")
_RESERVED: Final = frozenset({"vehicle", "pool", "batch", "batch-uid", "slot", "leader", _SIMULATED})


@dataclass(frozen=True, slots=True)
class Ticket:
    """The promise behind one token. `used_by` is the digest of the key that it was used with."""

    vehicle: str
    claims: Mapping[str, str]
    expires: float
    used_by: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a ticket is honoured: `reason` says why not, `mark` is the ticket as it must be kept beforehand."""

    reason: str = ""
    mark: Ticket | None = None

    @property
    def accepted(self) -> bool:
        """Whether the vehicle may have a certificate."""
        return not self.reason


def problem_of_vehicle(vehicle: str) -> str | None:
    """What is wrong with a vehicle's id; None when nothing is."""
    if _VEHICLE.fullmatch(vehicle):
        return None
    return (
        f"{vehicle!r} is no vehicle id: 1 to {_LONGEST_ID} lower-case letters, digits and inner hyphens, "
        "because it becomes a part of the Node's name"
    )


def problem_of_claims(claims: Mapping[str, str]) -> str | None:
    """What is wrong with the claims that a person gives a vehicle; None when nothing is."""
    if len(claims) > MOST_CLAIMS:
        return f"{len(claims)} claims are more than {MOST_CLAIMS}"
    for name, value in claims.items():
        if name in _RESERVED:
            return f"the claim {name!r} is Parkade's own"
        if not _CLAIM.fullmatch(name):
            return f"{name!r} is no name of a claim: lower-case letters, digits and inner hyphens"
        if not _VALUE.fullmatch(value):
            return f"{name}={value!r}: a value is 1 to 63 letters, digits and inner '-', '_' or '.', as of a label"
    return None


def ticket_key(secret: str) -> str:
    """The name under which the ticket of a token is kept, which does not tell the token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def ticket_text(ticket: Ticket) -> str:
    """The ticket as it is kept."""
    body = {"vehicle": ticket.vehicle, "claims": dict(ticket.claims), "expires": ticket.expires}
    if ticket.used_by:
        body["usedBy"] = ticket.used_by
    return orjson.dumps(body).decode()


def read_ticket(text: str | bytes) -> Ticket | None:
    """The ticket that was kept as *text*; None when it is none."""
    try:
        body: Any = orjson.loads(text)
        ticket = Ticket(
            str(body["vehicle"]), dict(body["claims"]), float(body["expires"]), str(body.get("usedBy", ""))
        )
    except (ValueError, KeyError, TypeError):
        return None
    names = all(isinstance(item, str) for pair in ticket.claims.items() for item in pair)
    problem = problem_of_vehicle(ticket.vehicle) or (not names or problem_of_claims(ticket.claims))
    return None if problem else ticket


def judge_ticket(
    ticket: Ticket | None, key_digest: str, now: float, revoked: Mapping[str, float] = MappingProxyType({})
) -> Verdict:
    """Whether the holder of the key *key_digest* gets the certificate that *ticket* promises.

    The same key may ask again until the ticket expires, because the first answer may have been lost.
    """
    if ticket is None:
        return Verdict("this token is not known here: it has expired, was revoked, or is another cluster's")
    if is_void(ticket.vehicle, math.inf, revoked):
        return Verdict(
            f"vehicle {ticket.vehicle} is revoked for good, because its moment is not RFC 3339: "
            f"correct its line in the ConfigMap {CONFIG_MAP_REVOKED}"
        )
    if now >= ticket.expires:
        return Verdict("the token has expired: ask for a new one with `kubectl parkade enroll`")
    if ticket.used_by and ticket.used_by != key_digest:
        return Verdict(
            "the token was already used by another key: if that was not you, run `kubectl parkade revoke`"
        )
    return Verdict(mark=None if ticket.used_by else replace(ticket, used_by=key_digest))


def outlived(tickets: Mapping[str, Ticket | None], now: float) -> list[str]:
    """The keys of *tickets* that promise nothing any more, or never did."""
    return sorted(key for key, ticket in tickets.items() if ticket is None or now >= ticket.expires)


def tickets_of(tickets: Mapping[str, Ticket | None], vehicle: str) -> list[str]:
    """The keys of all tickets for *vehicle*, used or not."""
    return sorted(key for key, ticket in tickets.items() if ticket is not None and ticket.vehicle == vehicle)


def is_void(vehicle: str, enrolled_at: float, revoked: Mapping[str, float]) -> bool:
    """Whether an enrolment of *vehicle* at that moment was revoked since."""
    return enrolled_at <= revoked.get(vehicle, float("-inf"))


def problem_of_certificate(
    vehicle: str, enrolled_at: float, expires_at: float, revoked: Mapping[str, float], now: float
) -> str | None:
    """Why a vehicle's certificate is worth nothing any more; None while it is."""
    if is_void(vehicle, enrolled_at, revoked):
        return f"vehicle {vehicle} was revoked: it needs a new token from `kubectl parkade enroll`"
    if now >= expires_at:
        return f"the certificate of vehicle {vehicle} has expired: it needs a new token from `kubectl parkade enroll`"
    return None


def problem_of_return(
    vehicle: str,
    enrolled_at: float,
    expires_at: float,
    revoked: Mapping[str, float],
    now: float,
    grace: float,
) -> str | None:
    """Why a vehicle that has the key of its expired certificate gets no new one; None when it does.

    It may have been away for *grace* seconds. One that was revoked, also while it was away, never comes back so.
    """
    if is_void(vehicle, enrolled_at, revoked):
        return problem_of_certificate(vehicle, enrolled_at, expires_at, revoked, now)
    if now >= expires_at + grace:
        return (
            f"the certificate of vehicle {vehicle} expired {_days(now - expires_at)} ago, and {_days(grace)} are "
            "allowed: it needs a new token from `kubectl parkade enroll`"
        )
    return None


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.3g} days"


def enrolment_moment(vehicle: str, now: float, revoked: Mapping[str, float]) -> float:
    """The moment that a new enrolment counts from: after any revocation, whatever the clocks of both say.

    Revoking takes a vehicle's tickets away first, so whoever has a ticket was given it afterwards.
    """
    return max(now, revoked.get(vehicle, float("-inf")) + 0.001)


def renewal_at(not_before: float, not_after: float, jitter: float) -> float:
    """When a certificate is renewed: after two thirds of its life, and *jitter* (up to 1) of that."""
    # It begins before it was signed, for clocks that are behind.
    signed_at = not_before + SKEW_SECONDS
    born = signed_at if signed_at < not_after else not_before
    return born + (not_after - born) * jitter * 2 / 3


def simulated_vehicle(pod: str, number: int = 0) -> str:
    """The id of the vehicle that the pod of that name simulates; a Deployment's pod gives the end of its name.

    Of several vehicles each but the first has a *number*, after two hyphens, as no controller's pods have them.
    """
    if found := _POD_OF_DEPLOYMENT.fullmatch(pod):
        pod = found["ending"]
    if number:
        pod = f"{pod}--{number}"
    vehicle = SIMULATED_PREFIX + pod.replace(".", "-")
    if len(vehicle) <= _LONGEST_ID:
        return vehicle
    digest = hashlib.sha256(pod.encode()).hexdigest()[:_DIGEST_DIGITS]
    return vehicle[: _LONGEST_ID - _DIGEST_DIGITS - 1].rstrip("-") + f"-{digest}"
