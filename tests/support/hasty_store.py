"""A hasty writer of the platform store: `python -m support.hasty_store <left out>`, a sync to leave out or `none`."""

import os
import sys
from itertools import count
from pathlib import Path

from parkade_operator.shards.store import BlockingStore
from support.hasty import body_of, live, promise

_BATCHES = 5


def key_of(number: int) -> str:
    """The name of an object, in one of a few folders."""
    return f"batches/{number % _BATCHES}/log/{number}"


def objects_in(store: Path) -> dict[int, bytes]:
    """What the store has, by number."""
    return {int(path.name): path.read_bytes() for path in store.glob("batches/*/log/*")}


def work(folder: Path) -> None:
    """Goes on after the newest object that is there."""
    store = BlockingStore(folder)
    for number in count(max(objects_in(folder), default=0) + 1):
        store.create(key_of(number), [body_of(number)])
        promise("created", number)


if __name__ == "__main__":
    if sys.argv[1] == "objects":
        os.fdatasync = lambda _: None
    live(work)
