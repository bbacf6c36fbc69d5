"""A vehicle that works as fast as its disk lets it, and says after each write what it counts on from then on.

`python -m support.hasty_vehicle <folder for keys> <left out>` lives once for every line of its input, which names the
folder of its disk: each life is a fork, so that it costs no start of Python. A life prints its pid, then promises such
as `finished 7`, until it is killed; then comes `dead`. *left out* are the syncs of `journal`, `results` or `none`.
"""

import asyncio
import hashlib
import os
import random
import sys
from pathlib import Path
from sqlite3 import Connection

from parkade_agent import durable
from parkade_agent.journal.database import Database
from parkade_api.logs import configure_logs
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from support.booking import Desk, attempt, desk
from support.vehicles import Certificates, certificates

NOTE = "number"
WORD = "word.json"
"""A file that is replaced again and again, as a consent or a certificate is."""
NOWHERE = 1
"""A port that nobody listens on: what is finished is not sent, so that the disk has to keep it."""
_MOST_BYTES = 30_000


def body_of(number: int) -> bytes:
    """The result of a shard."""
    dice = random.Random(number)  # noqa: S311 - no secret
    return dice.randbytes(dice.randint(1, _MOST_BYTES))


def word_of(number: int) -> bytes:
    """What the file WORD says, and that it says all of it."""
    return b"%d %b" % (number, body_of(number))


async def work(state: Path, certs: Certificates) -> None:
    """Goes on from what the disk has, one record after another, until the power is cut."""
    async with desk(state, NOWHERE, certs) as vehicle:
        vehicle.book.recover()
        number = vehicle.journal.last_counter()
        while True:
            number += 1
            await _do(vehicle, number)


async def _do(vehicle: Desk, number: int) -> None:
    journal, one, body = vehicle.journal, attempt(number), body_of(number)
    journal.obey(number, one.pod_uid, one.batch_uid, "sha256:0")
    _promise("obeyed", number)
    journal.remember(NOTE, str(number))
    _promise("noted", number)
    durable.write(vehicle.state / WORD, word_of(number))
    _promise("said", number)
    await vehicle.book.take([one])
    _promise("taken", number)
    file = vehicle.work / one.uid
    file.write_bytes(body)
    outcome = vehicle_pb2.ShardOutcome(size=len(body), sha256=hashlib.sha256(body).hexdigest(), succeeded=1)
    await vehicle.book.finish(one, file, outcome)
    _promise("finished", number)
    _promise("piece", journal.attempts.number_piece(one.lease, [one.uid], 0))


def _promise(kind: str, number: int) -> None:
    _say(f"{kind} {number}")


def _say(line: str) -> None:
    # One write: a kill leaves no half of a line.
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def leave_out(sync: str) -> None:
    """Shows what the other syncs are worth without this one."""
    prepare = Database._prepare

    def prepare_unsynced(database: Database, connection: Connection) -> None:
        prepare(database, connection)
        connection.execute("PRAGMA synchronous=OFF")

    if sync == "journal":
        Database._prepare = prepare_unsynced  # type: ignore[method-assign]
    elif sync == "results":
        os.fsync = lambda _: None


def main(keys: Path, left_out: str) -> None:
    """One life after another."""
    configure_logs("agent")
    certs = certificates(keys)
    leave_out(left_out)
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            _promise("pid", os.getpid())
            asyncio.run(work(Path(line.rstrip("\n")), certs))
        os.waitpid(pid, 0)
        _say("dead")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
