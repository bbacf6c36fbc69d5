"""What a vehicle without a certificate can show: a one-time token, or the ServiceAccount's token of its pod."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from parkade_core.enrolment_token import BadToken, read_token

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to enrol: where (`address`, host:port), trusting whom (`ca`, PEM), with which secret.

    `door` is where the vehicle dials afterwards, empty when it is known already. `digest` names the secret.
    `simulated` is which of the vehicles that a pod simulates this is.
    """

    address: str
    ca: bytes
    door: str
    token: str = ""
    service_account_token: str = ""
    simulated: int = 0

    @property
    def digest(self) -> str:
        """The sha256 of what is shown, hex."""
        return hashlib.sha256((self.token or self.service_account_token).encode()).hexdigest()


class Credential(Protocol):
    """Whoever has something to show."""

    def offer(self, record: Mapping[str, str], *, needed: bool) -> Offer | None:
        """What can be shown now, None when there is nothing to show or no reason to.

        *record* is of the last enrolment; it is *needed* when there is no certificate, or one that has expired.
        """


class TokenFile:
    """The file that a person puts the token of `kubectl parkade enroll` into; a new token there enrols anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._refused = b""

    def offer(self, record: Mapping[str, str], *, needed: bool) -> Offer | None:  # noqa: ARG002 - a new token counts
        """The token, unless it is the one that was used already."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return None
        try:
            token = read_token(_text_of(data))
        except BadToken as error:
            if data != self._refused:
                self._refused = data
                _log.warning("no enrolment token", file=str(self._path), error=str(error))
            return None
        offer = Offer(token.enrolment, token.ca.encode(), token.door, token=token.secret)
        return None if record.get("token") == offer.digest else offer


def _text_of(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadToken("the file is no UTF-8 text: save the token as plain text in UTF-8") from None


class ServiceAccount:
    """The token of the pod that simulates a vehicle, and the ConfigMap's file that the gateway's CA will appear in."""

    def __init__(self, token_file: Path, address: str, ca_file: Path, simulated: int = 0) -> None:
        """*simulated* is which of the pod's vehicles enrols."""
        self._simulated = simulated
        self._token_file = token_file
        self._address = address
        self._ca_file = ca_file

    def offer(self, record: Mapping[str, str], *, needed: bool) -> Offer | None:  # noqa: ARG002 - the pod is the vehicle
        """The token, when there is no certificate; None while the CA is not there."""
        if not needed:
            return None
        try:
            ca, token = self._ca_file.read_bytes(), self._token_file.read_text().strip()
        except OSError:
            return None
        if not ca.strip() or not token:
            return None
        return Offer(self._address, ca, "", service_account_token=token, simulated=self._simulated)
