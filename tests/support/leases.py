"""Short words for what tests ask of a lease book."""

from parkade_core.batch.lease import LeaseBook

IDS = [f"attempt-{number}" for number in range(100)]


def shards(book: LeaseBook, vehicle: str, want: int, lease: str, now: float = 0.0) -> list[int]:
    """The shards of a new lease; empty when nothing was granted."""
    granted = book.grant(vehicle, want, now, lease, IDS)
    return [shard for shard, _ in granted.shards] if granted else []
