"""The owner's consent: what a document says, and whether it covers what a pool asks.

Signatures, files and receipts are `parkade_agent.owner`'s.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from parkade_api.wellknown import Reason
from parkade_core.shown import shown
from parkade_core.vehicle.hours import BadHours, hours_of
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.rules import ConsentTerms, Window

SCHEMA: Final = "parkade.dev/consent/v1alpha1"
SCOPES: Final = frozenset({"public-data", "internal-data", "confidential-data"})
"""What an owner may agree to compute on. A document with any other scope is refused, not read around."""
PLACES: Final = frozenset({"home", "work", "depot"})

FIELDS: Final = (
    "schema",
    "number",
    "vehicle",
    "terms",
    "scopes",
    "hours",
    "places",
    "energySharePercent",
    "grantedAt",
    "expiresAt",
    "revoked",
)
"""All of them are in every document: what is not said would have to be guessed."""
_HIGHEST_NUMBER: Final = 2**53
_LONGEST_TEXT: Final = 128
_LONGEST_LIST: Final = 32


@dataclass(frozen=True, slots=True)
class Consent:
    """One verified document. Numbers only grow: of two documents the higher number is the owner's word.

    `granted_at` and `expires_at` are Unix seconds; *hours* and *places* empty: always, everywhere.
    `energy_share_percent` is of the pool's daily energy cap, and limits nothing in a pool without one.
    """

    number: int
    vehicle: str
    terms_version: str
    scopes: frozenset[str]
    granted_at: float
    expires_at: float
    hours: tuple[Window, ...] = ()
    places: frozenset[str] = field(default=frozenset())
    energy_share_percent: int = 100
    revoked: bool = False


class BadConsent(Exception):
    """The document is no consent that this vehicle can take; the message names the field and what would be right."""


def read(document: Mapping[str, object]) -> Consent:
    """What *document* says. Raises BadConsent."""
    if document.get("schema") != SCHEMA:
        raise BadConsent(f"schema: must be {SCHEMA}, not {_quoted(document.get('schema'))}")
    if unknown := sorted(set(document) - set(FIELDS)):
        raise BadConsent(f"{shown(unknown[0], _LONGEST_TEXT)}: unknown field")
    if missing := sorted(set(FIELDS) - set(document)):
        raise BadConsent(f"{missing[0]}: missing")
    consent = Consent(
        number=_whole(document, "number", 1, _HIGHEST_NUMBER),
        vehicle=_text(document, "vehicle"),
        terms_version=_text(document, "terms"),
        scopes=_some_of(document, "scopes", SCOPES),
        granted_at=_moment(document, "grantedAt"),
        expires_at=_moment(document, "expiresAt"),
        hours=_hours(document),
        places=_some_of(document, "places", PLACES),
        energy_share_percent=_whole(document, "energySharePercent", 1, 100),
        revoked=_flag(document, "revoked"),
    )
    if consent.expires_at <= consent.granted_at:
        raise BadConsent("expiresAt: must be after grantedAt")
    if not consent.scopes:
        raise BadConsent("scopes: must name at least one: who agrees to nothing revokes")
    return consent


def refusal(consent: Consent, vehicle: str, highest: int) -> str | None:
    """Why this vehicle does not take a document whose signature is the owner's; *highest* is the number seen so far.

    A vehicle that cannot read its own name, *vehicle* empty, takes a revocation for any: that is the safe side.
    """
    if consent.vehicle != vehicle and (vehicle or not consent.revoked):
        return f"vehicle: the document is for {consent.vehicle}, this is {vehicle}"
    if consent.number < highest:
        return f"number: {consent.number} is lower than {highest}, which this vehicle has seen"
    return None


def shortfall(consent: Consent, terms: ConsentTerms | None, wall: datetime | None) -> Objection | None:
    """What *consent* lacks of what a pool asks at *wall*, the vehicle's time of day; None when it covers it.

    A revocation counts whether the pool asks or not.
    """
    if consent.revoked:
        remedy = answer_to(terms) if terms is not None else "agree anew by `parkade-agent consent grant`"
        return _lacking(f"the owner revoked consent (number {consent.number})", remedy)
    if terms is None:
        return None
    if wall is None:
        because = "the time of day is not known, so nobody can say whether consent is still good"
        return _lacking(because, "wait until the vehicle's clock can be believed")
    return _out_of_date(consent, terms, wall) or _other_terms(consent, terms)


def unanswered(terms: ConsentTerms, because: str) -> Objection:
    """What a pool asks and no consent answers, as *because* says to the owner. Its words come from the network."""
    scopes = f" with {_listed(terms.scopes)}" if terms.scopes else ""
    question = f"the pool asks for terms {_shown(terms.terms_version)}{scopes}"
    outward = f"{question}: the owner has not agreed"
    return _lacking(f"{question}: {because}", answer_to(terms), outward)


def changes_at(consent: Consent, terms: ConsentTerms) -> tuple[float, ...]:
    """The moments, in Unix seconds, when time alone changes what `shortfall` says."""
    renewal = (consent.granted_at + terms.renew_after,) if terms.renew_after else ()
    return (consent.granted_at, consent.expires_at, *renewal)


def answer_to(terms: ConsentTerms) -> str:
    """How the owner agrees to what a pool asks; a line for a shell, so words of the network are quoted."""
    read = f"read {_shown(terms.policy_ref)} and " if terms.policy_ref else ""
    scopes = "".join(f" --scope {shlex.quote(_shown(scope))}" for scope in sorted(terms.scopes))
    return f"{read}agree by `parkade-agent consent grant --terms {shlex.quote(_shown(terms.terms_version))}{scopes}`"


def _lacking(because: str, remedy: str, outward: str = "") -> Objection:
    return Objection(Reason.NO_CONSENT, because, remedy, stops=True, outward=outward)


def _out_of_date(consent: Consent, terms: ConsentTerms, wall: datetime) -> Objection | None:
    now, remedy = wall.timestamp(), "agree again by `parkade-agent consent renew`"
    if now < consent.granted_at:
        early = f"consent {consent.number} is good from {_day(consent.granted_at, wall)} on only"
        return _lacking(early, remedy, f"consent {consent.number} is not good yet")
    if now >= consent.expires_at:
        ended = f"consent {consent.number} ended"
        return _lacking(f"{ended} on {_day(consent.expires_at, wall)}", remedy, ended)
    if terms.renew_after and now >= consent.granted_at + terms.renew_after:
        days = terms.renew_after / 86400
        anew = f"the pool asks anew after {days:g} day{'' if days == 1 else 's'}"
        return _lacking(f"{anew}, the owner agreed on {_day(consent.granted_at, wall)}", remedy, anew)
    return None


def _other_terms(consent: Consent, terms: ConsentTerms) -> Objection | None:
    if consent.terms_version != terms.terms_version:
        asks = f"the pool asks for terms {_shown(terms.terms_version)}, the owner agreed to"
        return _lacking(f"{asks} {consent.terms_version}", answer_to(terms), f"{asks} others")
    if lacking := terms.scopes - consent.scopes:
        because = f"the pool asks for {_listed(lacking)}, the owner agreed to {_listed(consent.scopes)}"
        return _lacking(because, answer_to(terms))
    return None


def _listed(scopes: frozenset[str]) -> str:
    return ", ".join(map(_shown, sorted(scopes)))


def _shown(words: str) -> str:
    return shown(words, _LONGEST_TEXT)


def _day(moment: float, wall: datetime) -> str:
    return f"{wall.fromtimestamp(moment, wall.tzinfo):%Y-%m-%d %H:%M}"


def _quoted(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float) else repr(shown(value, _LONGEST_TEXT))


def _text(document: Mapping[str, object], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT or not value.isprintable():
        raise BadConsent(f"{name}: must be text of 1 to {_LONGEST_TEXT} characters, not {_quoted(value)}")
    return value


def _whole(document: Mapping[str, object], name: str, least: int, most: int) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadConsent(f"{name}: must be a whole number from {least} to {most}, not {_quoted(value)}")
    return value


def _flag(document: Mapping[str, object], name: str) -> bool:
    value = document[name]
    if not isinstance(value, bool):
        raise BadConsent(f"{name}: must be true or false, not {_quoted(value)}")
    return value


def _moment(document: Mapping[str, object], name: str) -> float:
    text = _text(document, name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadConsent(f"{name}: must be a time such as 2026-11-22T16:00:00Z, not {text!r}")
    return moment.timestamp()


def _texts(document: Mapping[str, object], name: str) -> list[str]:
    value = document[name]
    if (
        not isinstance(value, list)
        or len(value) > _LONGEST_LIST
        or not all(isinstance(v, str) for v in value)
    ):
        raise BadConsent(f"{name}: must be a list of at most {_LONGEST_LIST} texts")
    return value


def _some_of(document: Mapping[str, object], name: str, known: frozenset[str]) -> frozenset[str]:
    names = _texts(document, name)
    if unknown := sorted(set(names) - known):
        raise BadConsent(f"{name}: {_quoted(unknown[0])} is not known: write {', '.join(sorted(known))}")
    return frozenset(names)


def _hours(document: Mapping[str, object]) -> tuple[Window, ...]:
    try:
        return tuple(hours_of(text) for text in _texts(document, "hours"))
    except BadHours as error:
        raise BadConsent(f"hours: {error}") from None
