"""A vehicle's time of day is compared with the gateway's when it dials in, and told in plain words."""

import datetime as dt

import pytest

from parkade_agent.identity.keys import new_key, request_for
from parkade_core.enrolment import renewal_at
from parkade_core.vehicle.skew import problem_of_clock
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import new_authority, requested_key
from parkade_operator.door.tls import Identity
from support.doors import pem

NOW = 1_795_338_000.0


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (0.0, None),
        (120.0, None),
        (-120.0, None),
        (3600.0, "60 min ahead of the gateway's"),
        (-3600.0, "60 min behind the gateway's"),
        (-NOW, "behind the gateway's"),
    ],
)
def test_a_clock_that_differs_is_told(ahead: float, words: str | None) -> None:
    """Seconds are nothing; an hour is said with its direction, and what depends on it and what does not."""
    problem = problem_of_clock(NOW + ahead, NOW)
    if words is None:
        assert problem is None
    else:
        assert problem is not None
        assert words in problem
        assert "pay do not depend on it" in problem


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_wrong_locks_no_vehicle_out(hours: int) -> None:
    """By its own clock the gateway's certificates are valid, and it renews its own before the gateway sees it end."""
    authority = Authority(new_authority(dt.datetime.now(dt.UTC)), ["127.0.0.1"])
    shown = [pem(authority.certificate), pem(authority.serving().certificate)]
    own = pem(authority.sign(requested_key(request_for(new_key())), Identity("ada")))
    wrong = dt.timedelta(hours=hours)
    vehicles = dt.datetime.now(dt.UTC) + wrong
    for certificate in shown:
        assert certificate.not_valid_before_utc <= vehicles < certificate.not_valid_after_utc
    ends = own.not_valid_after_utc.timestamp()
    renewed = renewal_at(own.not_valid_before_utc.timestamp(), ends, 1.0) - wrong.total_seconds()
    assert dt.datetime.now(dt.UTC).timestamp() < renewed < ends
