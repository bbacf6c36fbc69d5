"""A vehicle's owner: a key, a folder of the owner's word, and documents signed as told, rightly or wrongly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parkade_agent.journal.journal import Journal
from parkade_agent.owner.files import OwnerFiles, OwnerFolder
from parkade_agent.owner.keys import new_owner_key, public_half, sign_as_owner
from parkade_agent.owner.signed import seal
from parkade_core.vehicle.consent import SCHEMA

DOCUMENT: Mapping[str, Any] = {
    "schema": SCHEMA,
    "number": 1,
    "vehicle": "v1",
    "terms": "2",
    "scopes": ["public-data"],
    "hours": [],
    "places": [],
    "energySharePercent": 100,
    "grantedAt": "2020-01-01T00:00:00Z",
    "expiresAt": "2100-01-01T00:00:00Z",
    "revoked": False,
}


@dataclass
class Owner:
    """The owner of the vehicle whose state folder is *state*."""

    state: Path
    key: bytes = field(default_factory=new_owner_key)

    def __post_init__(self) -> None:
        self.folder.root.mkdir(parents=True, exist_ok=True)
        self.folder.key.write_bytes(public_half(self.key))

    @property
    def folder(self) -> OwnerFolder:
        """The owner's folder in the vehicle."""
        return OwnerFolder(self.state / "owner")

    def files(self, vehicle: str = "v1") -> OwnerFiles:
        """What reads the word, with the vehicle's own journal."""
        return OwnerFiles(self.folder, lambda: vehicle, Journal(self.state / "journal.sqlite"))

    def signed(self, *, key: bytes | None = None, **changes: Any) -> bytes:
        """A document with these fields, signed by the owner or by another *key*."""
        return seal({**DOCUMENT, **changes}, lambda data: sign_as_owner(key or self.key, data))

    def says(self, *, key: bytes | None = None, **changes: Any) -> None:
        """Puts such a document into the vehicle, whole at once."""
        part = self.folder.root / "consent.part"
        part.write_bytes(self.signed(key=key, **changes))
        part.replace(self.folder.consent)
