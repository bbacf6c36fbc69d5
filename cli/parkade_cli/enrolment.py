"""`enroll` and `revoke`: a vehicle's way into the fleet and out of it, written for the gateway to read."""

import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from parkade_api.wellknown import CONFIG_MAP_CA, CONFIG_MAP_REVOKED, SECRET_TOKENS
from parkade_core.enrolment import (
    Ticket,
    problem_of_claims,
    problem_of_vehicle,
    read_ticket,
    ticket_key,
    ticket_text,
    tickets_of,
)
from parkade_core.enrolment_token import EnrolmentToken, write_token

LONGEST_SECONDS: Final = 30 * 24 * 3600
# A gateway whose clock is ahead of the API server's dates enrolments late: so much of that a revocation reaches over.
SKEW_SECONDS: Final = 5
_SECRET_BYTES: Final = 32
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])")


class EnrolmentError(Exception):
    """What was asked for cannot be done; the message says why."""


class Release(Protocol):
    """The objects of the release that enrolment needs. Every method may raise ClusterError."""

    def config_map(self, name: str) -> Mapping[str, str]:
        """The data of a ConfigMap."""

    def secret(self, name: str) -> Mapping[str, bytes]:
        """The data of a Secret."""

    def write_config_map(self, name: str, data: Mapping[str, str]) -> None:
        """Sets some keys of a ConfigMap."""

    def write_secret(self, name: str, data: Mapping[str, bytes | None]) -> None:
        """Sets some keys of a Secret, and removes those that are None."""

    def now(self) -> datetime:
        """The time by the API server's clock, to the second."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A token that was made, and until when it is good."""

    vehicle: str
    token: str
    expires: datetime


def enroll(release: Release, vehicle: str, claims: Mapping[str, str], seconds: int) -> Enrolled:
    """Makes a one-time token for *vehicle*. Raises EnrolmentError, ClusterError."""
    if (problem := problem_of_vehicle(vehicle) or problem_of_claims(claims)) is not None:
        raise EnrolmentError(problem)
    shown = release.config_map(CONFIG_MAP_CA)
    if missing := [key for key in ("ca.crt", "door", "enrolment") if not shown.get(key)]:
        raise EnrolmentError(
            f"the ConfigMap {CONFIG_MAP_CA} has no {', '.join(missing)} yet: the gateway writes it when it first leads"
        )
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    expires = release.now().timestamp() + seconds
    ticket = Ticket(vehicle, claims, expires)
    release.write_secret(SECRET_TOKENS, {ticket_key(secret): ticket_text(ticket).encode()})
    token = EnrolmentToken(shown["door"], shown["enrolment"], shown["ca.crt"], vehicle, secret)
    return Enrolled(vehicle, write_token(token), datetime.fromtimestamp(expires, UTC))


def revoke(release: Release, vehicle: str) -> datetime:
    """Makes every certificate and token of *vehicle* void; returns the moment. Raises EnrolmentError, ClusterError.

    The tokens go first and the moment is noted last: whoever has a token afterwards was given it anew.
    """
    if (problem := problem_of_vehicle(vehicle)) is not None:
        raise EnrolmentError(problem)
    tickets = {key: read_ticket(text) for key, text in release.secret(SECRET_TOKENS).items()}
    if old := tickets_of(tickets, vehicle):
        release.write_secret(SECRET_TOKENS, dict.fromkeys(old))
    # The clock tells whole seconds, hence one more. An enrolment from now on is dated after the moment all the same.
    moment = datetime.fromtimestamp(math.floor(release.now().timestamp()) + 1 + SKEW_SECONDS, UTC)
    moment = max(moment, _after(release.config_map(CONFIG_MAP_REVOKED).get(vehicle, "")))
    release.write_config_map(CONFIG_MAP_REVOKED, {vehicle: moment.strftime("%Y-%m-%dT%H:%M:%SZ")})
    return moment


def _after(earlier: str) -> datetime:
    """The first moment that is surely after an earlier revocation and what was enrolled since."""
    try:
        moment = datetime.fromisoformat(earlier) + timedelta(seconds=1)
    except ValueError:
        moment = datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def claims_of(pairs: Sequence[str]) -> dict[str, str]:
    """Claims written as name=value. Raises EnrolmentError."""
    claims: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise EnrolmentError(f"{pair!r} is no claim: write name=value, such as region=eu")
        if name in claims:
            raise EnrolmentError(f"the claim {name!r} comes twice")
        claims[name] = value
    return claims


def seconds_of(duration: str) -> int:
    """The seconds of a duration such as 30m, 1h or 7d. Raises EnrolmentError."""
    found = _DURATION.fullmatch(duration)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise EnrolmentError(f"{duration!r} is no duration up to 30d: write 30m, 1h or 7d")
    return seconds
