"""The owner's consent: what it covers. Documents, signatures and receipts are `parkade_agent.owner`'s."""

from dataclasses import dataclass, field
from typing import Final

from parkade_core.vehicle.rules import Window

SCOPES: Final = frozenset({"public-data", "internal-data", "confidential-data"})
"""What an owner may agree to compute on. A document with any other scope is refused, not read around."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One verified document. Numbers only grow: of two documents the higher number is the owner's word.

    `granted_at` and `expires_at` are Unix seconds; *hours* and *places* empty: always, everywhere.
    `energy_share_percent` is of the pool's daily energy cap.
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
