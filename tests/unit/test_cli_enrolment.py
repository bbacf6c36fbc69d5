"""`enroll` and `revoke` on a release that a test holds in its hands."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from parkade_cli.enrolment import SKEW_SECONDS, EnrolmentError, claims_of, enroll, revoke, seconds_of
from parkade_core.enrolment import enrolment_moment, is_void, read_ticket, ticket_key
from parkade_core.enrolment_token import read_token

SHOWN = {"ca.crt": "CA", "door": "door:8443", "enrolment": "door:8444"}


@dataclass
class Objects:
    """The release's objects, and the API server's clock, which stands still."""

    config_maps: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"parkade-gateway-ca": dict(SHOWN), "parkade-revoked": {}}
    )
    tickets: dict[str, bytes] = field(default_factory=dict)
    clock: dt.datetime = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)

    def config_map(self, name: str) -> Mapping[str, str]:
        """The data of a ConfigMap."""
        return self.config_maps[name]

    def secret(self, name: str) -> Mapping[str, bytes]:
        """The tickets."""
        assert name == "parkade-enrolment-tokens"
        return self.tickets

    def write_config_map(self, name: str, data: Mapping[str, str]) -> None:
        """Sets some keys."""
        self.config_maps[name].update(data)

    def write_secret(self, name: str, data: Mapping[str, bytes | None]) -> None:
        """Sets some keys, and removes others."""
        assert name == "parkade-enrolment-tokens"
        self.tickets.update({key: value for key, value in data.items() if value is not None})
        for key in [key for key, value in data.items() if value is None]:
            del self.tickets[key]

    def now(self) -> dt.datetime:
        """The time."""
        return self.clock

    def revoked(self) -> dict[str, float]:
        """The moments as the gateway reads them."""
        found = self.config_maps["parkade-revoked"].items()
        return {name: dt.datetime.fromisoformat(text).timestamp() for name, text in found}


def test_a_token_and_its_ticket_promise_the_same() -> None:
    """The cluster keeps everything but the secret; the token says where to go."""
    release = Objects()
    made = enroll(release, "ada", {"region": "eu"}, 3600)
    token = read_token(made.token)
    assert (token.door, token.enrolment, token.ca, token.vehicle) == ("door:8443", "door:8444", "CA", "ada")
    ticket = read_ticket(release.tickets[ticket_key(token.secret)])
    assert ticket is not None
    assert (ticket.vehicle, ticket.claims) == ("ada", {"region": "eu"})
    assert ticket.expires == made.expires.timestamp() == release.clock.timestamp() + 3600
    assert read_token(enroll(release, "ada", {}, 60).token).secret != token.secret


def test_nothing_is_promised_before_the_gateway_has_led() -> None:
    """Without the door's certificate and addresses a token would be useless, so there is none."""
    release = Objects(config_maps={"parkade-gateway-ca": {"ca.crt": "CA"}})
    with pytest.raises(EnrolmentError, match="has no door, enrolment yet"):
        enroll(release, "ada", {}, 60)
    assert release.tickets == {}


def test_revoking_voids_what_was_given_and_nothing_that_comes() -> None:
    """However often within one second: a vehicle's tickets and enrolments go, new ones count, others stay."""
    release = Objects()
    enroll(release, "bob", {}, 60)
    for _ in range(3):
        enroll(release, "ada", {}, 60)
        enrolled_at = enrolment_moment("ada", release.clock.timestamp() + 0.7, release.revoked())
        assert not is_void("ada", enrolled_at, release.revoked())
        revoke(release, "ada")
        assert is_void("ada", enrolled_at, release.revoked())
        assert len(release.tickets) == 1
    assert not is_void("bob", release.clock.timestamp(), release.revoked())


@pytest.mark.parametrize("ahead", [0, 0.7, SKEW_SECONDS])
def test_a_gateway_whose_clock_is_ahead_keeps_nobody_in(ahead: float) -> None:
    """Who enrolled right before the revocation goes; who enrols right after it, by the same clock, is in."""
    release = Objects()
    gateway_now = release.clock.timestamp() + ahead
    enrolled_at = enrolment_moment("ada", gateway_now, release.revoked())
    revoke(release, "ada")
    assert is_void("ada", enrolled_at, release.revoked())
    assert not is_void("ada", enrolment_moment("ada", gateway_now, release.revoked()), release.revoked())


@pytest.mark.parametrize(
    ("written", "later"), [("yesterday", 6), ("2026-11-22T08:00:00", 6), ("2026-11-22T09:00:30", 31)]
)
def test_a_moment_that_a_person_wrote_is_followed_by_a_later_one(written: str, later: int) -> None:
    """Whatever stood there, afterwards there is a moment that is not before it."""
    release = Objects()
    release.write_config_map("parkade-revoked", {"ada": written})
    assert revoke(release, "ada").timestamp() == release.clock.timestamp() + later


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("30d", 2_592_000)])
def test_durations_have_units(text: str, seconds: int) -> None:
    """Seconds, minutes, hours and days."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0h", "1", "h", "1.5h", "-1h", "31d", "99999999h", "1h30m"])
def test_other_durations_are_refused(text: str) -> None:
    """The sentence shows how they are written."""
    with pytest.raises(EnrolmentError, match="write 30m, 1h or 7d"):
        seconds_of(text)


def test_claims_are_pairs() -> None:
    """A value may hold an equals sign, which the rules for claims then judge; a name comes once."""
    assert claims_of(["region=eu", "note=a=b"]) == {"region": "eu", "note": "a=b"}
    for pairs, words in [(["region"], "no claim"), (["a=1", "a=2"], "comes twice")]:
        with pytest.raises(EnrolmentError, match=words):
            claims_of(pairs)
