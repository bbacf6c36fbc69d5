"""How much one caller may ask: a bucket of tokens that fills at a steady rate."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """*burst* at once, and *rate* a second in the long run."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left at the moment `at`, in seconds of the caller's clock."""

    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Taken:
    """The bucket afterwards; `wait_seconds` is 0 when the tokens were there, else when they will be."""

    bucket: Bucket
    wait_seconds: float

    @property
    def granted(self) -> bool:
        """Whether the tokens were there."""
        return self.wait_seconds == 0


def take(bucket: Bucket | None, limit: Limit, now: float, cost: float = 1.0) -> Taken:
    """Takes *cost* tokens if they are there, and none otherwise. A caller without a bucket begins with a full one."""
    filled = _filled(bucket, limit, now) if bucket else limit.burst
    if filled >= cost:
        return Taken(Bucket(filled - cost, now), 0.0)
    return Taken(Bucket(filled, now), (cost - filled) / limit.rate)


def is_full(bucket: Bucket, limit: Limit, now: float) -> bool:
    """Whether the bucket is as good as a new one and need not be kept."""
    return _filled(bucket, limit, now) >= limit.burst


def _filled(bucket: Bucket, limit: Limit, now: float) -> float:
    return min(limit.burst, bucket.tokens + max(0.0, now - bucket.at) * limit.rate)
