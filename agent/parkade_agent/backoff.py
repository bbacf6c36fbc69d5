"""How long to wait before the next try: growing, bounded, and jittered so that a fleet does not come back at once."""

import random
from collections.abc import Iterator


def delays(first: float, most: float) -> Iterator[float]:
    """Endless delays in seconds: each up to twice the one before, from *first* to *most*, half of it random."""
    bound = first
    while True:
        yield bound * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        bound = min(most, bound * 2)
