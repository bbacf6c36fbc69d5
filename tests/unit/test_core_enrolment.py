"""Who may become a vehicle: ids, claims, tickets, revocations, and the token that carries them."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_core.enrolment import (
    MOST_SIMULATED,
    SKEW_SECONDS,
    Ticket,
    enrolment_moment,
    is_void,
    judge_ticket,
    outlived,
    problem_of_certificate,
    problem_of_claims,
    problem_of_vehicle,
    read_ticket,
    renewal_at,
    simulated_vehicle,
    ticket_key,
    ticket_text,
    tickets_of,
)
from parkade_core.enrolment_token import PREFIX, BadToken, EnrolmentToken, read_token, write_token

FRESH = Ticket("ada", {"region": "eu"}, expires=100.0)
USED = Ticket("ada", {"region": "eu"}, expires=100.0, used_by="key-1")
MOMENTS = st.floats(min_value=0, max_value=4e9).map(lambda at: round(at, 3))


@pytest.mark.parametrize("vehicle", ["a", "ada", "v-1", "0", "x" * 50])
def test_vehicle_ids_that_fit_a_node_are_taken(vehicle: str) -> None:
    """Lower-case letters, digits and inner hyphens, up to fifty."""
    assert problem_of_vehicle(vehicle) is None


@pytest.mark.parametrize("vehicle", ["", "Ada", "-a", "a-", "a.b", "a/b", "x" * 51, "ä", "a\n"])
def test_vehicle_ids_that_fit_no_node_are_refused(vehicle: str) -> None:
    """The sentence says what an id looks like and why."""
    assert "no vehicle id" in (problem_of_vehicle(vehicle) or "")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({}, ""),
        ({"region": "eu", "hardware": "hw4", "owner-id": "A_b.c"}, ""),
        ({"pool": "x"}, "Parkade's own"),
        ({"vehicle": "x"}, "Parkade's own"),
        ({"simulated": "true"}, "Parkade's own"),
        ({"Region": "eu"}, "no name of a claim"),
        ({"a:b": "eu"}, "no name of a claim"),
        ({"region": ""}, "a value is"),
        ({"region": "e u"}, "a value is"),
        ({"region": "x" * 64}, "a value is"),
        ({f"c{n}": "x" for n in range(17)}, "more than 16"),
    ],
)
def test_claims_are_labels_of_our_group(claims: dict[str, str], words: str) -> None:
    """A claim becomes a label that no claim may forge: names and values must fit, and some names are ours."""
    problem = problem_of_claims(claims)
    assert (problem is None) == (not words)
    assert words in (problem or "")


@pytest.mark.parametrize(
    ("ticket", "key", "now", "words", "marked"),
    [
        (FRESH, "key-1", 99.9, "", USED),
        (USED, "key-1", 99.9, "", None),
        (USED, "key-2", 99.9, "already used by another key", None),
        (FRESH, "key-1", 100.0, "has expired", None),
        (USED, "key-1", 100.0, "has expired", None),
        (None, "key-1", 0.0, "not known here", None),
    ],
)
def test_a_ticket_is_good_for_one_key_until_it_expires(
    ticket: Ticket | None, key: str, now: float, words: str, marked: Ticket | None
) -> None:
    """The first use marks it; the same key may ask again, because an answer may be lost; another key may not."""
    verdict = judge_ticket(ticket, key, now)
    assert verdict.accepted == (not words)
    assert words in verdict.reason
    assert verdict.mark == marked


@given(
    st.builds(
        Ticket,
        vehicle=st.from_regex(r"[a-z0-9]{1,50}", fullmatch=True),
        claims=st.dictionaries(st.from_regex(r"c[a-z0-9]{1,20}", fullmatch=True), st.just("v"), max_size=5),
        expires=MOMENTS,
        used_by=st.text(string.hexdigits, max_size=64),
    )
)
def test_a_ticket_is_read_as_it_was_kept(ticket: Ticket) -> None:
    """What the cluster keeps is what was promised."""
    assert read_ticket(ticket_text(ticket)) == ticket


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "{",
        b"\xff",
        '{"vehicle":"Ada","claims":{},"expires":1}',
        '{"vehicle":"ada","claims":{"pool":"x"},"expires":1}',
        '{"vehicle":"ada","claims":{"region":1},"expires":1}',
        '{"vehicle":"ada","claims":[],"expires":"soon"}',
    ],
)
def test_what_is_no_ticket_promises_nothing(text: str | bytes) -> None:
    """Anybody who may write the Secret may write nonsense: it enrols nobody and is swept away."""
    assert read_ticket(text) is None
    assert outlived({"k": read_ticket(text), "fresh": FRESH}, 0.0) == ["k"]


def test_expired_tickets_are_swept_and_a_vehicles_found() -> None:
    """Sweeping goes by time, revoking by vehicle, used or not."""
    bob = Ticket("bob", {}, expires=200.0)
    kept = {"a": FRESH, "b": USED, "c": bob, "d": None}
    assert outlived(kept, 100.0) == ["a", "b", "d"]
    assert tickets_of(kept, "ada") == ["a", "b"]


def test_a_tickets_key_does_not_tell_the_token() -> None:
    """Who reads the Secret learns nothing that enrols."""
    assert ticket_key("secret") == ticket_key("secret") != ticket_key("Secret")
    assert "secret" not in ticket_key("secret")


@given(MOMENTS, MOMENTS, MOMENTS)
def test_revoking_voids_what_was_before_and_nothing_after(first: float, moment: float, now: float) -> None:
    """Whatever the clocks say: a new enrolment is valid, until it is revoked later; others are not touched."""
    revoked = {"ada": moment}
    assert is_void("ada", first, revoked) == (first <= moment)
    enrolled_at = enrolment_moment("ada", now, revoked)
    assert enrolled_at >= now
    assert not is_void("ada", round(enrolled_at * 1000) / 1000, revoked)
    assert is_void("ada", enrolled_at, {"ada": enrolled_at})
    assert not is_void("bob", first, revoked)


@pytest.mark.parametrize(
    ("enrolled_at", "now", "words"),
    [
        (10.1, 99.0, None),
        (10.0, 99.0, "was revoked"),
        (10.1, 100.0, "has expired"),
        (9.0, 100.0, "was revoked"),
    ],
)
def test_a_certificate_is_worth_what_it_says_until_then(
    enrolled_at: float, now: float, words: str | None
) -> None:
    """A vehicle whose certificate is void or over is told which of both, and what helps."""
    problem = problem_of_certificate("ada", enrolled_at, 100.0, {"ada": 10.0}, now)
    assert (problem is None) == (words is None)
    assert "kubectl parkade enroll" in (problem or "kubectl parkade enroll")
    assert (words or "") in (problem or "")


@given(st.floats(0, 1e9), st.floats(1, 1e7), st.floats(0.9, 1.0))
def test_certificates_are_renewed_when_most_of_their_life_is_over(
    signed_at: float, life: float, jitter: float
) -> None:
    """At two thirds or a little before, and never after the end."""
    at = renewal_at(signed_at - SKEW_SECONDS, signed_at + life, jitter)
    assert signed_at + life * 0.59 <= at <= signed_at + life * 0.67
    assert at < signed_at + life


def test_a_certificate_without_skew_is_renewed_too() -> None:
    """One that lives for less than the skew was not signed by us; its own begin counts."""
    assert renewal_at(0, 90, 1.0) == 60


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?", fullmatch=True),
    st.integers(min_value=0, max_value=MOST_SIMULATED - 1),
)
def test_every_pod_simulates_vehicles_of_valid_ids(pod: str, number: int) -> None:
    """However long a pod's name is, its vehicles' ids fit, and say that they are simulated."""
    vehicle = simulated_vehicle(pod, number)
    assert problem_of_vehicle(vehicle) is None
    assert vehicle.startswith("sim-")


def test_a_pod_simulates_many_vehicles() -> None:
    """Each has an id of its own, and the first one that of a pod with one vehicle."""
    pod = "parkade-simulation-67c56bf58b-5rv95"
    assert len({simulated_vehicle(pod, number) for number in range(MOST_SIMULATED)}) == MOST_SIMULATED
    assert simulated_vehicle(pod, 0) == "sim-67c56bf58b-5rv95"
    assert simulated_vehicle(pod, 7) == "sim-67c56bf58b-5rv95--7"


def test_pods_of_long_names_simulate_different_vehicles() -> None:
    """A shortened name keeps a digest of the whole one."""
    names = [f"{'parkade-simulation-' * 4}{n}" for n in range(100)]
    assert len({simulated_vehicle(name) for name in names}) == 100


@pytest.mark.parametrize(
    ("pod", "vehicle"),
    [
        ("parkade-simulation-67c56bf58b-5rv95", "sim-67c56bf58b-5rv95"),
        ("parkade-simulation-7f-x2", "sim-parkade-simulation-7f-x2"),
        ("parkade-simulation-0", "sim-parkade-simulation-0"),
        ("parkade-simulation-elsewhere-again", "sim-parkade-simulation-elsewhere-again"),
    ],
)
def test_a_pod_of_a_deployment_simulates_a_vehicle_of_a_short_id(pod: str, vehicle: str) -> None:
    """What only its own pod has is enough; a name of any other shape is taken whole."""
    assert simulated_vehicle(pod) == vehicle


TOKEN = EnrolmentToken("door:8443", "door:8444", "-----BEGIN", "ada", "secret")


def test_a_token_is_one_line_that_carries_everything() -> None:
    """It survives copying with spaces around it."""
    text = write_token(TOKEN)
    assert text.startswith(PREFIX)
    assert text.isascii()
    assert not set(text) & set(string.whitespace)
    assert read_token(f"  {text}\n") == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        PREFIX,
        PREFIX + "!!!",
        PREFIX + "e30",
        write_token(TOKEN)[:-9],
        write_token(EnrolmentToken("", "e", "c", "v", "s")),
        PREFIX + "A" * 20_000,
    ],
)
def test_a_damaged_token_is_refused_in_words(text: str) -> None:
    """Half a token is no token, and the sentence does not repeat it."""
    with pytest.raises(BadToken, match="enrolment token"):
        read_token(text)
