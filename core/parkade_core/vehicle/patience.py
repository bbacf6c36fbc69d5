"""How long a vehicle that ended a slot on its own account is left alone: each time twice as long."""

_FIRST = 5.0
_LONGEST = 300.0


def hold_seconds(endings: int) -> float:
    """Seconds until the next slot may be bound, after *endings* (from 1) in a row without a committed shard."""
    return float(min(_LONGEST, _FIRST * 2 ** min(endings - 1, 16)))
