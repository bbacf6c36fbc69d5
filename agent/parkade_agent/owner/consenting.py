"""Grant, renew, narrow, revoke: each makes the next document out of the last one, to be signed by the owner's key."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from parkade_agent import durable
from parkade_agent.errors import AgentError
from parkade_agent.owner.files import OwnerFiles, OwnerFolder
from parkade_agent.owner.keys import fingerprint, public_half, sign_as_owner
from parkade_agent.owner.signed import NotSigned, parse, seal
from parkade_core.vehicle.consent import SCHEMA, BadConsent, Consent, read

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
    """A consent of its own, whatever was agreed before. Raises ConsentProblem, JournalBroken."""
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
    """The last consent once more, from now on. Raises ConsentProblem, JournalBroken."""
    return _next(files, _standing(files.folder), wishes.lifetime, now)


def narrowed(files: OwnerFiles, wishes: Wishes, now: float) -> Document:
    """Less than the last consent, until the same day. Raises ConsentProblem, JournalBroken."""
    standing = _standing(files.folder)
    less = {
        "scopes": _fewer("scopes", standing, wishes.scopes),
        "hours": _fewer("hours", standing, wishes.hours),
        "places": _fewer("places", standing, wishes.places),
        "energySharePercent": _smaller(standing, wishes.energy_share_percent),
    }
    if all(standing[name] == value for name, value in less.items()):
        raise ConsentProblem(
            "say what you take back: --scope, --hours, --place or --energy-share with what stays"
        )
    kept = {"grantedAt": _moment(now), "expiresAt": standing["expiresAt"]}
    return {**_next(files, {**standing, **less}, LIFETIME, now), **kept}


def revoked(files: OwnerFiles, now: float) -> Document:
    """Nothing any more. Raises ConsentProblem, JournalBroken."""
    try:
        standing = _standing(files.folder)
    except ConsentProblem:  # whatever the vehicle believes in: it ends
        standing = {
            "terms": "none",
            "scopes": ["public-data"],
            "hours": [],
            "places": [],
            "energySharePercent": 100,
        }
    return {**_next(files, standing, LIFETIME, now), "revoked": True}


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
    durable.write(folder.consent, seal(document, lambda data: sign_as_owner(private, data)))
    return consent


def standing_document(folder: OwnerFolder) -> Document | None:
    """The document that lies in the folder, verified by nobody; None when there is none that can be read."""
    try:
        return parse(folder.consent.read_bytes()).document
    except (OSError, NotSigned):
        return None


def _standing(folder: OwnerFolder) -> Document:
    document = standing_document(folder)
    if document is None or document.get("revoked") is not False:
        raise ConsentProblem("there is no consent to change: parkade-agent consent grant")
    try:
        read(document)
    except BadConsent as error:
        raise ConsentProblem(
            f"the consent that is there is none: {error}: parkade-agent consent grant"
        ) from None
    return document


def _next(files: OwnerFiles, document: Document, lifetime: str, now: float) -> Document:
    """*document* with the next number, from *now* on."""
    lying = standing_document(files.folder) or {}
    number = lying.get("number")
    highest = max(files.seen().number, number if isinstance(number, int) else 0)
    return {
        **document,
        "schema": SCHEMA,
        "number": highest + 1,
        "vehicle": files.vehicle,
        "grantedAt": _moment(now),
        "expiresAt": _moment(now + seconds_of(lifetime)),
        "revoked": False,
    }


def _fewer(name: str, standing: Document, wished: Sequence[str] | None) -> list[str]:
    before = standing[name]
    known = [str(entry) for entry in before] if isinstance(before, list) else []
    if wished is None:
        return known
    if known and (more := sorted(set(wished) - set(known))):
        raise ConsentProblem(
            f"{name}: {more[0]} would be more than was agreed to: parkade-agent consent grant"
        )
    return sorted(set(wished)) if name != "hours" else list(wished)


def _smaller(standing: Document, wished: int | None) -> object:
    before = standing["energySharePercent"]
    if wished is not None and isinstance(before, int) and wished > before:
        raise ConsentProblem(
            f"energy share: {wished} % would be more than {before} %: parkade-agent consent grant"
        )
    return before if wished is None else wished


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%FT%TZ}"
