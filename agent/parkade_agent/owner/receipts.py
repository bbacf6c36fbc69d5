"""Receipts: what the vehicle wiped when its owner revoked consent, signed by the vehicle's key, offline too.

The certificate stands in the receipt, so that it can be checked when the vehicle has long got another one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from parkade_agent import durable
from parkade_agent.errors import AgentError
from parkade_agent.owner.files import OwnerFolder, OwnerWord
from parkade_agent.owner.keys import BadKey, is_vehicles, sign_as_vehicle, vehicle_of
from parkade_agent.owner.signed import NotSigned, parse, seal
from parkade_agent.owner.wiping import Wiped

SCHEMA: Final = "parkade.dev/receipt/v1alpha1"


class BadReceipt(AgentError):
    """The file is no receipt of a vehicle."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A vehicle's word that nothing of the work before revocation *number* is left in it."""

    vehicle: str
    number: int
    at: str
    wiped: Wiped


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts in the owner's folder, signed with the vehicle's key that fits its certificate."""

    folder: OwnerFolder
    certificate: Path
    key: Path

    def is_due(self, word: OwnerWord) -> bool:
        """Whether the owner revoked consent and the vehicle has not signed yet that it wiped."""
        return word.is_revoked and word.consent is not None and not self.of(word.consent.number).exists()

    def of(self, number: int) -> Path:
        """Where the receipt for the revocation of that number lies."""
        return self.folder.receipts / f"revocation-{number}.json"

    def all(self) -> list[Path]:
        """Every receipt that was left, oldest first."""
        return sorted(
            self.folder.receipts.glob("revocation-*.json"), key=lambda path: (len(path.name), path.name)
        )

    def leave(self, number: int, wiped: Wiped, now: float) -> Receipt:
        """Signs that the vehicle wiped, for good when it returns; *now* is in Unix seconds.

        Raises BadKey, BadReceipt, OSError.
        """
        certificate, key = self.certificate.read_bytes(), self.key.read_bytes()
        receipt = Receipt(
            vehicle_of(certificate), number, f"{datetime.fromtimestamp(now, UTC):%FT%TZ}", wiped
        )
        document = {
            "schema": SCHEMA,
            "vehicle": receipt.vehicle,
            "revocation": number,
            "at": receipt.at,
            "files": wiped.files,
            "bytes": wiped.size,
            "certificate": certificate.decode(),
        }
        sealed = seal(document, lambda data: sign_as_vehicle(key, data))
        verified(sealed)  # between two writes of a renewal, key and certificate are no pair
        durable.write(self.of(number), sealed)
        return receipt


def verified(data: bytes) -> Receipt:
    """The receipt in the bytes of a file, its signature checked by the certificate in it. Raises BadReceipt."""
    try:
        signed = parse(data)
        document = signed.document
        certificate = str(document["certificate"]).encode()
        if document["schema"] != SCHEMA or not is_vehicles(certificate, signed.canonical, signed.signature):
            raise BadReceipt("the signature is not that of the vehicle's certificate")
        wiped = Wiped(int(str(document["files"])), int(str(document["bytes"])))
        receipt = Receipt(
            str(document["vehicle"]), int(str(document["revocation"])), str(document["at"]), wiped
        )
        if receipt.vehicle != vehicle_of(certificate):
            raise BadReceipt(f"it speaks of {receipt.vehicle} with the certificate of another vehicle")
    except (NotSigned, BadKey, KeyError, ValueError) as error:
        raise BadReceipt(f"it is no receipt: {error}") from None
    return receipt
