"""Which batches the platform store may forget: those that nobody will lead again, some time after their last write."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch as the store has it, and who still wants it; *age* is that of its newest object, in seconds.

    One whose InferenceBatch was deleted is not unfinished, whatever it had reached.
    """

    uid: str
    age: float
    is_led: bool
    is_unfinished: bool


def why_kept(batch: StoredBatch, retention: float) -> str | None:
    """Why the store keeps *batch*; None when it goes, which is *retention* seconds after its last write.

    A finished or deleted InferenceBatch is never planned again and its UID never used again, so nobody can miss the
    log that decided its shards. Until then whoever led it is gone, and people can look at what it left.
    """
    if batch.is_led:
        return "it is led here"
    if batch.is_unfinished:
        return "its InferenceBatch is not finished"
    if batch.age < retention:
        return f"it was written to {batch.age / 3600:.1f} h ago and is kept for {retention / 3600:g} h"
    return None
