"""Receipts: what the vehicle wiped when its owner revoked consent, signed by the vehicle's key, offline too.

The certificate stands in the receipt, so that it can be checked when the vehicle has long got another one.
"""

import contextlib
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

    def due(self, word: OwnerWord) -> int | None:
        """The number of the owner's revocation, until this vehicle has signed that it wiped for it; else None."""
        revoked = word.consent if word.is_revoked else None
        return revoked.number if revoked is not None and self.left(revoked.number) is None else None

    def of(self, number: int) -> Path:
        """Where the receipt for the revocation of that number lies."""
        return self.folder.receipts / f"revocation-{number}.json"

    def left(self, number: int) -> Receipt | None:
        """The vehicle's own receipt for the revocation of that number; None when there is none that can be verified.

        The owner's folder may have come from another vehicle, with receipts of its own. Where there is no certificate,
        as for a command that was not told where it lies, nobody can tell.
        """
        try:
            receipt = verified(self.of(number).read_bytes())
            own = vehicle_of(self.certificate.read_bytes()) if self.certificate.exists() else receipt.vehicle
        except (BadReceipt, BadKey, OSError):
            return None
        return receipt if (receipt.vehicle, receipt.number) == (own, number) else None

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


def receipts_in(folder: OwnerFolder) -> list[Path]:
    """Every receipt that was left there, oldest first. Raises OSError."""
    return sorted(folder.receipts.glob("revocation-*.json"), key=lambda path: (len(path.name), path.name))


def highest_revocation(folder: OwnerFolder) -> int:
    """The highest number in a receipt there, of whatever vehicle; 0 without one, or where none can be read."""
    highest = 0
    with contextlib.suppress(OSError):
        for path in receipts_in(folder):
            with contextlib.suppress(BadReceipt, OSError):
                highest = max(highest, verified(path.read_bytes()).number)
    return highest


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
