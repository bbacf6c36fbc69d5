"""Leases that vehicles speak of before the lease book of their batch exists."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet


class EarlyLeases:
    """What vehicles said they hold, till the book takes it in; *most* leases are remembered."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._shards: dict[tuple[str, str, str], set[int]] = {}

    def adopt(self, uid: str, vehicle: str, lease: str, shards: Iterable[int]) -> None:
        """The vehicle holds these shards of batch *uid*; dropped when too many leases are remembered."""
        key = uid, vehicle, lease
        if key in self._shards or len(self._shards) < self._most:
            self._shards.setdefault(key, set()).update(shards)

    def hand_back(self, uid: str, vehicle: str, lease: str, shards: Iterable[int]) -> None:
        """The vehicle holds these shards no more."""
        key = uid, vehicle, lease
        left = self._shards.get(key, set()).difference(shards)
        if left:
            self._shards[key] = left
        else:
            self._shards.pop(key, None)

    def release(self, uid: str, vehicle: str, keep: AbstractSet[str]) -> None:
        """The vehicle holds nothing of batch *uid* but under the leases in *keep*."""
        for key in [key for key in self._shards if key[:2] == (uid, vehicle) and key[2] not in keep]:
            del self._shards[key]

    def take(self, uid: str) -> list[tuple[str, str, list[int]]]:
        """Vehicle, lease and shards of everything held of batch *uid*, which is forgotten here."""
        keys = [key for key in self._shards if key[0] == uid]
        return [
            (vehicle, lease, sorted(self._shards.pop((uid, vehicle, lease)))) for _, vehicle, lease in keys
        ]
