"""What shards/ raises; the wiring maps each to a gRPC status or a batch's reason, once.

ShardsError
|-- StoreError             about the platform store
|   |-- AlreadyExists      the key is taken: read it and compare
|   |-- NoSuchObject       the key does not exist
|   |-- StoreUnfit         the store cannot be used: it lacks what commits rest on
|   `-- StoreBroken        a sync failed: nothing this process writes can be trusted to last; restart it
|-- FileRefused            a URI that the file root does not serve
|-- BatchFailure           the batch fails, with a reason of the API
|-- UnknownBatch           nobody asked to lead that batch
|-- NotLeading             the batch is not planned yet, or this leader was fenced: try again
|   `-- Fenced             another leader has claimed the log
|-- NotLeased              the vehicle may not have that shard, or commit under that lease
`-- BadPiece               bytes that are not what their header states
"""

from parkade_api.wellknown import BatchReason


class ShardsError(Exception):
    """Root of the errors of shards/; the message is one sentence for people."""


class StoreError(ShardsError):
    """Something about the platform store."""


class AlreadyExists(StoreError):
    """The key to create is taken."""


class NoSuchObject(StoreError):
    """The key to read does not exist."""


class StoreUnavailable(StoreError):
    """A call failed in a way that may pass: no space, no answer. A create may have happened or not."""


class StoreUnfit(StoreError):
    """The store lacks create-only semantics, or durable creates, or is of an unknown kind."""


class StoreBroken(StoreError):
    """Syncing a folder failed, so it is not known what would survive a power cut."""


class FileRefused(ShardsError):
    """The URI is of another scheme, leaves the file root, or passes a symbolic link."""


class BatchFailure(ShardsError):
    """The batch cannot succeed. Travels between processes, so its arguments are its fields."""

    def __init__(self, reason: BatchReason, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


class UnknownBatch(ShardsError):
    """No batch of that UID is led here."""


class NotLeading(ShardsError):
    """The batch cannot take results at the moment."""


class Fenced(NotLeading):
    """Another leader has claimed the log of this batch."""


class NotLeased(ShardsError):
    """The vehicle may not have that shard, or commit under that lease."""


class BadPiece(ShardsError):
    """A piece whose digests, ranges or counts are not as its header states."""
