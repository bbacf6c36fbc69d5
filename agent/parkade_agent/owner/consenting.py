"""Grant, renew, narrow, revoke: each makes the next document out of the last one, to be signed by the owner's key."""

import errno
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from parkade_agent import durable
from parkade_agent.errors import AgentError, JournalBroken
from parkade_agent.owner.files import OwnerFiles, OwnerFolder
from parkade_agent.owner.keys import fingerprint, public_half, sign_as_owner
from parkade_agent.owner.receipts import highest_revocation
from parkade_agent.owner.signed import parse, seal
from parkade_core.vehicle.consent import SCHEMA, SCOPES, BadConsent, Consent, read
from parkade_core.vehicle.hours import BadHours, minutes_of

Document = Mapping[str, object]
LIFETIME: Final = "365d"
_UNITS: Final = {"h": 3600, "d": 86400}
_LIFETIME: Final = re.compile(r"([1-9][0-9]{0,4})([hd])")


class ConsentProblem(AgentError):
    """What the owner asked for cannot be done; the message says what can."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner says about a consent; None leaves it as it is."""

    terms: str | None = None
    scopes: Sequence[str] | None = None
    hours: Sequence[str] | None = None
    places: Sequence[str] | None = None
    energy_share_percent: int | None = None
    lifetime: str = LIFETIME


def seconds_of(lifetime: str) -> int:
    """The seconds of a lifetime such as 12h or 365d. Raises ConsentProblem."""
    found = _LIFETIME.fullmatch(lifetime)
    if found is None:
        raise ConsentProblem(f"{lifetime!r} is no length of time: write 12h or 365d")
    return int(found[1]) * _UNITS[found[2]]


def granted(files: OwnerFiles, wishes: Wishes, now: float) -> Document:
    """A consent of its own, whatever was agreed before. Raises ConsentProblem."""
    if not wishes.terms or not wishes.scopes:
        raise ConsentProblem("say what you agree to: --terms VERSION and --scope SCOPE, as often as needed")
    document = {
        "terms": wishes.terms,
        "scopes": sorted(set(wishes.scopes)),
        "hours": list(wishes.hours or []),
        "places": sorted(set(wishes.places or [])),
        "energySharePercent": 100 if wishes.energy_share_percent is None else wishes.energy_share_percent,
    }
    return _next(files, document, wishes.lifetime, now)


def renewed(files: OwnerFiles, wishes: Wishes, now: float) -> Document:
    """The last consent once more, from now on. Raises ConsentProblem."""
    return _next(files, standing(files), wishes.lifetime, now)


def narrowed(files: OwnerFiles, wishes: Wishes, now: float) -> Document:
    """Less than the last consent, until the same day. Raises ConsentProblem."""
    before = standing(files)
    less = {
        "scopes": _fewer("scopes", before, wishes.scopes),
        "hours": _shorter(before, wishes.hours),
        "places": _fewer("places", before, wishes.places),
        "energySharePercent": _smaller(before, wishes.energy_share_percent),
    }
    if all(before[name] == value for name, value in less.items()):
        raise ConsentProblem(
            "say what you take back: --scope, --hours, --place or --energy-share with what stays"
        )
    return {**_next(files, {**before, **less}, LIFETIME, now), "expiresAt": before["expiresAt"]}


def revoked(files: OwnerFiles, now: float) -> Document:
    """Nothing any more, whatever was agreed before."""
    nothing = {
        "terms": "none",
        "scopes": sorted(SCOPES),
        "hours": [],
        "places": [],
        "energySharePercent": 100,
    }
    return {**_next(files, nothing, LIFETIME, now), "revoked": True}


def put(folder: OwnerFolder, document: Document, key: Path) -> Consent:
    """Signs *document* with the owner's private key in the file *key* and makes it the owner's word.

    Raises ConsentProblem, BadKey, OSError.
    """
    private = key.read_bytes()
    public = public_half(private)
    if public != folder.key.read_bytes():
        raise ConsentProblem(f"{key} is the key {fingerprint(public)}, which is not this vehicle's owner's")
    try:
        consent = read(document)
    except BadConsent as error:
        raise ConsentProblem(str(error)) from None
    sealed = seal(document, lambda data: sign_as_owner(private, data))
    try:
        durable.write(folder.consent, sealed)
    except OSError as error:
        if error.errno != errno.ENOSPC or not consent.revoked:
            raise
        durable.overwrite(folder.consent, sealed)  # half a revocation is no consent either
    return consent


def standing(files: OwnerFiles) -> Document:
    """The document that counts now, verified. Raises ConsentProblem."""
    word = files.read()
    if word.consent is None or word.consent.revoked:
        because = (
            word.no_consent_because or f"consent {word.consent.number if word.consent else ''} was revoked"
        )
        raise ConsentProblem(f"there is no consent to change: {because}: parkade-agent consent grant")
    return parse(files.folder.consent.read_bytes()).document


def _next(files: OwnerFiles, document: Document, lifetime: str, now: float) -> Document:
    """*document* with the next number, from *now* on."""
    return {
        **document,
        "schema": SCHEMA,
        "number": _highest(files) + 1,
        "vehicle": files.vehicle(),
        "grantedAt": _moment(now),
        "expiresAt": _moment(now + seconds_of(lifetime)),
        "revoked": False,
    }


def _highest(files: OwnerFiles) -> int:
    """The highest number that was given out, as journal, file and receipts tell; what cannot be read tells nothing.

    A broken journal must not keep anybody from revoking, and a folder may be older than the vehicle's journal.
    """
    try:
        seen = files.seen().number
    except JournalBroken:
        seen = 0
    return max(seen, files.signed_number(), highest_revocation(files.folder))


def _fewer(name: str, document: Document, wished: Sequence[str] | None) -> list[str]:
    known = _texts(document, name)
    if wished is None:
        return known
    if known and (more := sorted(set(wished) - set(known))):
        raise ConsentProblem(
            f"{name}: {more[0]} would be more than was agreed to: parkade-agent consent grant"
        )
    return sorted(set(wished))


def _shorter(document: Document, wished: Sequence[str] | None) -> list[str]:
    known = _texts(document, "hours")
    if wished is None:
        return known
    try:
        is_more = bool(known) and not minutes_of(wished) <= minutes_of(known)
    except BadHours as error:
        raise ConsentProblem(f"hours: {error}") from None
    if is_more:
        words = f"hours: {', '.join(wished)} would be more than {', '.join(known)}"
        raise ConsentProblem(f"{words}: parkade-agent consent grant")
    return list(wished)


def _texts(document: Document, name: str) -> list[str]:
    value = document[name]
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _smaller(document: Document, wished: int | None) -> object:
    before = document["energySharePercent"]
    if wished is not None and isinstance(before, int) and wished > before:
        raise ConsentProblem(
            f"energy share: {wished} % would be more than {before} %: parkade-agent consent grant"
        )
    return before if wished is None else wished


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%FT%TZ}"
