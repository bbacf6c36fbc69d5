"""The vehicle's identity on its disk: whatever moment the power fails at, a key and its certificate are left.

The new key is written beside the old one before the new certificate takes the old one's place; a certificate that
does not fit its key belongs to the key beside it.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import orjson

from parkade_agent import durable
from parkade_agent.errors import IdentityDamaged
from parkade_agent.identity.keys import KeyPair, is_key, new_key, pair_of


class IdentityFiles:
    """Key and certificate at the places that the settings name, and a record of the last enrolment."""

    def __init__(self, certificate: Path, key: Path, record: Path) -> None:
        self.certificate = certificate
        self.key = key
        self.record = record
        self._new_key = key.with_name(f"{key.name}.new")

    def load(self) -> KeyPair | None:
        """What is on the disk; None when there is no certificate. Raises IdentityDamaged, OSError."""
        if not self.certificate.exists():
            return None
        certificate = self.certificate.read_bytes()
        for place in (self.key, self._new_key):
            pair = _pair(place, certificate) if place.exists() else None
            if pair is not None:
                if place is self._new_key:
                    durable.rename(self._new_key, self.key)
                return pair
        raise IdentityDamaged(f"no key fits {self.certificate}: remove it and enrol the vehicle anew")

    def pending_key(self) -> bytes:
        """The key to ask a certificate for: the same until there is one, also after a restart. Raises OSError.

        A token is good for one key alone, and an answer may have been lost. A key that cannot be read is replaced.
        """
        with contextlib.suppress(FileNotFoundError):
            if is_key(key := self._new_key.read_bytes()):
                return key
        key = new_key()
        durable.write(self._new_key, key)
        return key

    def save(self, pair: KeyPair) -> None:
        """Replaces both, for good when it returns; a key that stays is not touched. Raises OSError."""
        if self.key.exists() and self.key.read_bytes() == pair.key:
            durable.write(self.certificate, pair.certificate)
            return
        if not self._new_key.exists() or self._new_key.read_bytes() != pair.key:
            durable.write(self._new_key, pair.key)
        durable.write(self.certificate, pair.certificate)
        durable.rename(self._new_key, self.key)

    def read_record(self) -> Mapping[str, str]:
        """What was noted at the last enrolment; empty before the first one."""
        try:
            record = orjson.loads(self.record.read_bytes())
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def write_record(self, record: Mapping[str, str]) -> None:
        """Notes an enrolment, for good when it returns. Raises OSError."""
        durable.write(self.record, orjson.dumps(dict(record)))


def _pair(key: Path, certificate: bytes) -> KeyPair | None:
    try:
        return pair_of(key.read_bytes(), certificate)
    except ValueError as error:
        raise IdentityDamaged(f"{key} and its certificate cannot be read: {error}") from None
