"""Programs that write as fast as their disk lets them, and say after each write what they count on from then on.

Such a program lives once for every line of its input, which names the folder of its disk: each life is a fork, so that
it costs no start of Python. A life prints its pid, then promises such as `finished 7`, until it is killed; then comes
`dead`. After many promises it rests, so that a fast machine does not fill a small disk.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

_MOST_BYTES = 10_000
_MOST_PROMISES = 200
_promises = count(1)


def live(work: Callable[[Path], None]) -> None:
    """One life after another: *work*, which never returns, in the folder that it is given."""
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            promise("pid", os.getpid())
            work(Path(line.rstrip("\n")))
        os.waitpid(pid, 0)
        _say("dead")


def promise(kind: str, number: int) -> None:
    """What is known by this kind and number is on the disk, whatever happens."""
    _say(f"{kind} {number}")
    if next(_promises) == _MOST_PROMISES:
        signal.pause()


def body_of(number: int) -> bytes:
    """Bytes that tell whether they are whole."""
    dice = random.Random(number)  # noqa: S311 - no secret
    return dice.randbytes(dice.randint(1, _MOST_BYTES))


def _say(line: str) -> None:
    # One write: a kill leaves no half of a line.
    os.write(sys.stdout.fileno(), f"{line}\n".encode())
