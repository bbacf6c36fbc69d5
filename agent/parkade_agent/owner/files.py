"""The owner's folder, and the word that stands in it: limits, consent, a pause, and what is wrong with them."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import orjson
import structlog

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.memory import Memory
from parkade_agent.owner.given import Given
from parkade_agent.owner.keys import BadKey, fingerprint, is_owners
from parkade_agent.owner.limits import BadLimits, read_limits, read_places
from parkade_agent.owner.signed import MOST_BYTES, NotSigned, Signed, parse
from parkade_core.shown import shown
from parkade_core.vehicle.consent import BadConsent, Consent, read, refusal
from parkade_core.vehicle.limits import NO_LIMITS, OwnerLimits
from parkade_core.vehicle.position import Place

NOTE: Final = "owner.consent"  # in the journal
_MOST_PAUSE: Final = 200
_T = TypeVar("_T")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OwnerFolder:
    """Where each of the owner's files lies."""

    root: Path

    @property
    def key(self) -> Path:
        """The public half of the owner's key, PEM."""
        return self.root / "key.pem"

    @property
    def limits(self) -> Path:
        """The hard caps."""
        return self.root / "limits.json"

    @property
    def places(self) -> Path:
        """Where home, work and depot are."""
        return self.root / "places.json"

    @property
    def consent(self) -> Path:
        """The newest signed document."""
        return self.root / "consent.json"

    @property
    def pause(self) -> Path:
        """While it is there, nothing runs; its text says why."""
        return self.root / "pause"

    @property
    def pause_stamp(self) -> int:
        """By which one pause is told from another: when it was written, in nanoseconds; 0 without one."""
        try:
            return self.pause.stat().st_mtime_ns
        except OSError:
            return 0

    @property
    def receipts(self) -> Path:
        """What the vehicle signed when it wiped."""
        return self.root / "receipts"

    @property
    def mark(self) -> Path:
        """What the agent leaves here at first sight: where it is not found later, the folder's disk is not mounted."""
        return self.root / "mounted"

    @property
    def kept(self) -> tuple[Path, ...]:
        """What is given once and changed, but not taken away."""
        return (self.key, self.limits, self.places)

    def watched(self) -> tuple[Path, ...]:
        """What a change of the word changes."""
        return (self.root, self.key, self.limits, self.places, self.consent, self.pause, self.mark)


@dataclass(frozen=True, slots=True)
class OwnerWord:
    """The owner's newest word. `problem` is why it cannot be understood; then nothing may run."""

    limits: OwnerLimits = NO_LIMITS
    places: tuple[Place, ...] = ()
    consent: Consent | None = None
    no_consent_because: str = ""
    paused_because: str = ""
    pause_stamp: int = 0
    problem: str = ""

    @property
    def is_revoked(self) -> bool:
        """Whether the owner took consent back."""
        return self.consent is not None and self.consent.revoked


@dataclass(frozen=True, slots=True)
class Seen:
    """The highest document that this vehicle has taken: an older one cannot be put back, nor another key."""

    number: int = 0
    digest: str = ""
    revoked: bool = False
    key: str = ""


class OwnerFiles:
    """Reads the owner's word for one vehicle; *vehicle* tells its name, which a new enrolment may change."""

    def __init__(self, folder: OwnerFolder, vehicle: Callable[[], str], memory: Memory) -> None:
        self.folder = folder
        self.vehicle = vehicle
        self._memory = memory
        self._noted: Seen | None = None  # what the journal was last known to hold
        self._given = Given(folder.mark, folder.kept, memory)

    def read(self) -> OwnerWord:
        """The word as it stands in the files. What cannot be understood allows nothing."""
        self._given.note()
        word = self.glance(OwnerWord())
        if not self.folder.root.is_dir():
            return word
        consent, because = self._consent()
        # A revocation that is no newer than what the vehicle has seen stops as well: that is the safe side.
        return replace(word, consent=consent or word.consent, no_consent_because=because)

    def glance(self, before: OwnerWord) -> OwnerWord:
        """What stops work, without asking the journal, whose disk may be slow; consent stays what it was *before*."""
        if not self.folder.root.is_dir():
            words = f"the owner's folder {self.folder.root} is not there: its limits are not known"
            return replace(before, problem=words)
        word = replace(
            before,
            pause_stamp=self.folder.pause_stamp,
            paused_because=self._pause(),
            problem=self._given.gone(),
            consent=self._revocation() or before.consent,
        )
        try:
            limits = _read_or(self.folder.limits, read_limits, NO_LIMITS)
            return replace(word, limits=limits, places=_read_or(self.folder.places, read_places, ()))
        except BadLimits as error:
            return replace(word, problem=str(error))

    def gone(self) -> str:
        """Why the owner's word does not count in this folder, after a look into the journal; empty when it does."""
        self._given.note()
        return self._given.gone()

    def seen(self) -> Seen:
        """What this vehicle has taken so far. Raises JournalBroken."""
        text = self._memory.recall(NOTE)
        try:
            return Seen() if text is None else Seen(**orjson.loads(text))
        except (ValueError, TypeError):
            raise JournalBroken(f"the journal's note {NOTE} is damaged") from None

    def signed_number(self) -> int:
        """The number of the document in the file, when the owner signed it, whatever else is wrong with it; else 0."""
        try:
            signed = parse(_read(self.folder.consent))
            self._verify(signed)
        except (BadConsent, NotSigned, BadKey, OSError):
            return 0
        number = signed.document.get("number")
        return number if isinstance(number, int) else 0

    def _pause(self) -> str:
        try:
            text = _read(self.folder.pause).decode(errors="replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"the owner paused: {error}"
        return f"the owner paused{f': {shown(text, _MOST_PAUSE)}' if text else ''}"

    def _consent(self) -> tuple[Consent | None, str]:
        """The document that counts, or why there is none. A revocation stands until a later document is taken."""
        try:
            return self._taken(_read(self.folder.consent)), ""
        except FileNotFoundError:
            because = "the owner has not agreed to anything yet"
        except (BadConsent, NotSigned, BadKey, JournalBroken, OSError) as error:
            because = f"{self.folder.consent} is refused: {error}"
        return self._standing_revocation(), because

    def _standing_revocation(self) -> Consent | None:
        try:
            seen = self.seen()
        except JournalBroken:
            return None
        if not seen.revoked:
            return None
        return Consent(seen.number, self.vehicle(), "", frozenset(), 0.0, 0.0, revoked=True)

    def _revocation(self) -> Consent | None:
        """The revocation in the file, when the owner signed it."""
        try:
            consent = self._signed(parse(_read(self.folder.consent)))
        except (BadConsent, NotSigned, BadKey, OSError):
            return None
        return consent if consent.revoked and refusal(consent, self.vehicle(), highest=0) is None else None

    def _signed(self, signed: Signed) -> Consent:
        """What the owner signed. Raises BadConsent, BadKey, OSError."""
        self._verify(signed)
        return read(signed.document)

    def _verify(self, signed: Signed) -> None:
        public = self._owner_key()
        if not is_owners(public, signed.canonical, signed.signature):
            raise BadConsent(f"the signature is not that of the owner's key {fingerprint(public)}")

    def _taken(self, data: bytes) -> Consent:
        signed = parse(data)
        consent = self._signed(signed)
        try:
            self._remember(consent, signed)
        except JournalBroken as error:
            if not consent.revoked:
                raise
            _log.warning("a revocation counts, but could not be noted", error=str(error))
        return consent

    def _remember(self, consent: Consent, signed: Signed) -> None:
        """Notes a document before it counts. Raises BadConsent when it must not, JournalBroken.

        A document that was noted before goes on counting while the journal is broken.
        """
        digest = hashlib.sha256(signed.canonical).hexdigest()
        new = Seen(consent.number, digest, consent.revoked, fingerprint(self._owner_key()))
        try:
            seen = self.seen()
        except JournalBroken:
            if new != self._noted:
                raise
            seen = new
        if (problem := refusal(consent, self.vehicle(), seen.number) or _conflict(seen, new)) is not None:
            raise BadConsent(problem)
        if new != seen:
            self._memory.remember(NOTE, orjson.dumps(asdict(new)).decode())
        self._noted = new

    def _owner_key(self) -> bytes:
        try:
            return _read(self.folder.key)
        except FileNotFoundError:
            raise BadConsent(
                f"{self.folder.key} is missing, so nobody's signature is the owner's: parkade-agent owner init"
            ) from None


def _conflict(seen: Seen, new: Seen) -> str | None:
    if seen.key and new.key != seen.key:
        return f"the owner's key {new.key} is not {seen.key}, whose word this vehicle has taken before"
    if new.number == seen.number and new.digest != seen.digest:
        return f"number: {new.number} was given to another document before"
    return None


def _read_or(path: Path, read_as: Callable[[bytes], _T], without: _T) -> _T:
    """What is in the file, or *without* when there is none. Raises BadLimits."""
    try:
        return read_as(_read(path))
    except FileNotFoundError:
        return without
    except (BadLimits, OSError) as error:
        raise BadLimits(f"{path}: {error}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)
