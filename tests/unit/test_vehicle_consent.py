"""Consent: what a document must say, when it covers what a pool asks, and the condition that follows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.consent import (
    FIELDS,
    SCHEMA,
    BadConsent,
    Consent,
    answer_to,
    read,
    refusal,
    shortfall,
)
from parkade_core.vehicle.consent_ok import judge
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.hours import BadHours, hours_of, minutes_of
from parkade_core.vehicle.rules import ConsentTerms, Window
from support.facts import NOON, RULES, facts

DOCUMENT: dict[str, Any] = {
    "schema": SCHEMA,
    "number": 3,
    "vehicle": "ada",
    "terms": "2",
    "scopes": ["public-data"],
    "hours": ["22:00-06:00"],
    "places": ["home"],
    "energySharePercent": 50,
    "grantedAt": "2026-11-01T00:00:00Z",
    "expiresAt": "2026-12-01T00:00:00Z",
    "revoked": False,
}
GRANTED, EXPIRES = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
CONSENT = read(DOCUMENT)
TERMS = ConsentTerms("2", frozenset({"public-data"}))


def own(consent: Consent | None = CONSENT, wall: datetime | None = NOON) -> OwnFacts:
    """The facts of a vehicle whose owner agreed to that."""
    return OwnFacts(consent=consent, wall=wall, no_consent_because="" if consent else "nobody agreed")


def asks(terms: ConsentTerms | None, of: OwnFacts | None) -> Facts:
    """A vehicle in a pool that asks for those terms."""
    return facts(replace(RULES, consent=terms), of)


def test_a_document_says_all_there_is() -> None:
    """What a document says is what consent is: times in Unix seconds, hours as windows."""
    assert (
        Consent(
            number=3,
            vehicle="ada",
            terms_version="2",
            scopes=frozenset({"public-data"}),
            granted_at=GRANTED.timestamp(),
            expires_at=EXPIRES.timestamp(),
            hours=(Window("0 22 * * *", 8 * 3600.0),),
            places=frozenset({"home"}),
            energy_share_percent=50,
        )
        == CONSENT
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "parkade.dev/consent/v9"}, "schema: must be parkade.dev/consent/v1alpha1"),
        ({"extra": 1}, "extra: unknown field"),
        ({"number": 0}, "number: must be a whole number from 1"),
        ({"number": -1}, "number: must be a whole number"),
        ({"number": 1.5}, "number: must be a whole number"),
        ({"number": True}, "number: must be a whole number"),
        ({"number": 2**53 + 1}, "number: must be a whole number"),
        ({"vehicle": ""}, "vehicle: must be text"),
        ({"vehicle": 7}, "vehicle: must be text"),
        ({"terms": "2\x1b[2J"}, "terms: must be text"),
        ({"terms": "x" * 129}, "terms: must be text"),
        ({"scopes": ["public-data", "everything"]}, "scopes: 'everything' is not known"),
        ({"scopes": "public-data"}, "scopes: must be a list"),
        ({"scopes": [1]}, "scopes: must be a list"),
        ({"scopes": []}, "scopes: must name at least one"),
        ({"hours": ["always"]}, "hours: 'always' are no hours"),
        ({"hours": ["22:00-06:00"] * 33}, "hours: must be a list of at most 32"),
        ({"places": ["the moon"]}, "places: 'the moon' is not known: write depot, home, work"),
        ({"energySharePercent": 0}, "energySharePercent: must be a whole number from 1 to 100"),
        ({"energySharePercent": 101}, "energySharePercent: must be a whole number from 1 to 100"),
        ({"grantedAt": "yesterday"}, "grantedAt: must be a time such as"),
        ({"grantedAt": "2026-11-01T00:00:00"}, "grantedAt: must be a time such as"),
        ({"expiresAt": 1}, "expiresAt: must be text"),
        ({"expiresAt": "2026-11-01T00:00:00Z"}, "expiresAt: must be after grantedAt"),
        ({"revoked": "no"}, "revoked: must be true or false"),
        *(({name: None}, name) for name in FIELDS),
    ],
)
def test_what_is_not_said_plainly_is_refused(change: dict[str, Any], words: str) -> None:
    """An unknown field or scope is refused, never read around; the sentence names the field."""
    with pytest.raises(BadConsent, match=words.replace("[", r"\[")):
        read(DOCUMENT | change)


@pytest.mark.parametrize("name", FIELDS)
def test_nothing_may_be_left_out(name: str) -> None:
    """What a document does not say would have to be guessed."""
    with pytest.raises(BadConsent, match=name):
        read({key: value for key, value in DOCUMENT.items() if key != name})


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_any_document_is_read_or_refused(change: dict[str, Any]) -> None:
    """Whatever stands in a document, it never breaks the vehicle."""
    try:
        consent = read(DOCUMENT | change)
    except BadConsent:
        return
    assert consent.number >= 1


@pytest.mark.parametrize(
    ("vehicle", "highest", "words"),
    [("ada", 0, None), ("ada", 3, None), ("ada", 4, "3 is lower than 4"), ("bob", 0, "for ada, this is bob")],
)
def test_a_document_of_another_vehicle_or_time_is_refused(
    vehicle: str, highest: int, words: str | None
) -> None:
    """Numbers only grow, and nobody else's consent counts."""
    problem = refusal(CONSENT, vehicle, highest)
    assert problem is None if words is None else words in (problem or "")


@pytest.mark.parametrize(
    ("consent", "terms", "wall", "because", "remedy"),
    [
        (CONSENT, TERMS, NOON, "", ""),
        (CONSENT, None, None, "", ""),
        (CONSENT, ConsentTerms("2"), NOON, "", ""),
        (
            CONSENT,
            ConsentTerms("3"),
            NOON,
            "asks for terms 3, the owner agreed to 2",
            "consent grant --terms 3",
        ),
        (
            CONSENT,
            ConsentTerms("2", frozenset({"internal-data", "public-data"})),
            NOON,
            "asks for internal-data, the owner agreed to public-data",
            "--scope internal-data --scope public-data",
        ),
        (CONSENT, TERMS, EXPIRES, "consent 3 ended on 2026-12-01 00:00", "consent renew"),
        (
            CONSENT,
            TERMS,
            GRANTED - timedelta(minutes=1),
            "good from 2026-11-01 00:00 on only",
            "consent renew",
        ),
        (CONSENT, replace(TERMS, renew_after=86400), NOON, "asks anew after 1 day,", "consent renew"),
        (CONSENT, TERMS, None, "time of day is not known", "clock"),
        (replace(CONSENT, revoked=True), TERMS, NOON, "revoked consent (number 3)", "grant --terms 2"),
        (replace(CONSENT, revoked=True), None, None, "revoked consent (number 3)", "consent grant"),
    ],
)
def test_consent_covers_what_it_says(
    consent: Consent, terms: ConsentTerms | None, wall: datetime | None, because: str, remedy: str
) -> None:
    """New terms, more data, and time ask again; a revocation counts whether the pool asks or not."""
    lacking = shortfall(consent, terms, wall)
    assert (lacking is None) == (not because)
    assert lacking is None or (because in lacking.message and remedy in lacking.remedy)


def test_the_answer_can_be_pasted_into_a_shell() -> None:
    """A pool's words come from the network: they cannot end the command, nor harm the terminal that shows them."""
    terms = ConsentTerms("3; rm -rf ~", frozenset({"$(x)"}), policy_ref="https://x/\x1b[2J")
    assert answer_to(terms) == (
        "read https://x/\\u001b[2J and agree by `parkade-agent consent grant --terms '3; rm -rf ~' --scope '$(x)'`"
    )


@pytest.mark.parametrize(
    ("terms", "of", "reason", "effect", "message"),
    [
        (TERMS, own(), None, None, "agreed to terms 2"),
        (None, own(None), None, None, "asks for no consent"),
        (
            TERMS,
            own(None),
            Reason.NO_CONSENT,
            Effect.NO_EXECUTE,
            "terms 2 with public-data: the owner has not agreed",
        ),
        (TERMS, own(wall=None), Reason.NO_CONSENT, Effect.NO_EXECUTE, "time of day"),
        (None, own(replace(CONSENT, revoked=True)), Reason.NO_CONSENT, Effect.NO_EXECUTE, "revoked"),
        (TERMS, None, Reason.UNKNOWN, None, "has not told"),
    ],
)
def test_work_needs_the_owners_word(
    terms: ConsentTerms | None,
    of: OwnFacts | None,
    reason: Reason | None,
    effect: Effect | None,
    message: str,
) -> None:
    """Without consent nothing runs on; the gateway, which cannot know, waits for the vehicle's word."""
    verdict = judge(asks(terms, of), None, 0.0, 0.0)
    assert (verdict.condition, verdict.reason, verdict.effect) == (Condition.CONSENT_CURRENT, reason, effect)
    assert verdict.holds == (reason is None)
    assert message in verdict.message


def test_the_judge_looks_again_when_consent_ends() -> None:
    """Time alone ends a consent: the guard is told when."""
    verdict = judge(asks(replace(TERMS, renew_after=25 * 86400), own()), None, 1000.0, 0.0)
    assert verdict.recheck_at == 1000.0 + (GRANTED + timedelta(days=25) - NOON).total_seconds()
    assert judge(asks(None, own()), None, 1000.0, 0.0).recheck_at is None


@pytest.mark.parametrize(
    ("text", "schedule", "hours"),
    [
        ("22:00-06:00", "0 22 * * *", 8),
        ("00:00-24:00", "0 0 * * *", 24),
        ("mon-fri 09:30-17:30", "30 9 * * 1,2,3,4,5", 8),
        ("sat,sun 10:00-11:00", "0 10 * * 0,6", 1),
        ("fri-mon 10:00-11:00", "0 10 * * 0,1,5,6", 1),
    ],
)
def test_owners_write_hours_as_people_do(text: str, schedule: str, hours: float) -> None:
    """A window belongs to the day on which it begins and may pass midnight."""
    assert hours_of(text) == Window(schedule, hours * 3600)


@pytest.mark.parametrize(
    "text",
    ["", "22-6", "22:00", "25:00-06:00", "10:00-10:00", "20:00-24:30", "xyz 10:00-11:00", "mon10:00-11:00"],
)
def test_hours_that_are_none_are_refused(text: str) -> None:
    """The sentence shows what hours look like."""
    with pytest.raises(BadHours, match="are no hours"):
        hours_of(text)


@pytest.mark.parametrize(
    ("less", "more", "is_less"),
    [
        (["23:00-05:00"], ["22:00-06:00"], True),
        (["mon 22:00-06:00"], ["22:00-06:00"], True),
        (["22:00-06:00"], ["mon 22:00-06:00"], False),
        (["00:00-24:00"], ["00:00-12:00", "12:00-24:00"], True),
        (["sat 23:00-01:00"], ["sat 23:00-24:00", "sun 00:00-01:00"], True),
        ([], ["sun 10:00-11:00"], True),
    ],
)
def test_hours_within_hours_are_less(less: list[str], more: list[str], is_less: bool) -> None:  # noqa: FBT001 - what is expected
    """Counted by minutes of the week, round its end and over midnight."""
    assert (minutes_of(less) <= minutes_of(more)) == is_less
