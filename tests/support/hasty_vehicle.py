"""A hasty vehicle: `python -m support.hasty_vehicle <left out> <folder for keys>` writes journal, results and a word.

*left out* are the syncs of `journal`, `results` or `none`.
"""

import asyncio
import hashlib
import os
import sys
from pathlib import Path
from sqlite3 import Connection

from parkade_agent import durable
from parkade_agent.journal.database import Database
from parkade_api.logs import configure_logs
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from support.booking import Desk, attempt, desk
from support.hasty import body_of, live, promise
from support.vehicles import Certificates, certificates

NOTE = "number"
WORD = "word.json"
"""A file that is replaced again and again, as a consent or a certificate is."""
NOWHERE = 1
"""A port that nobody listens on: what is finished is not sent, so that the disk has to keep it."""


def word_of(number: int) -> bytes:
    """What the file WORD says, and that it says all of it."""
    return b"%d %b" % (number, body_of(number))


async def work(state: Path, certs: Certificates) -> None:
    """Goes on from what the disk has, one record after another, until the power is cut."""
    async with desk(state, NOWHERE, certs) as vehicle:
        vehicle.recover()
        number = vehicle.journal.last_counter()
        while True:
            number += 1
            await _do(vehicle, number)


async def _do(vehicle: Desk, number: int) -> None:
    journal, one, body = vehicle.journal, attempt(number), body_of(number)
    journal.obey(number, one.pod_uid, one.batch_uid, "sha256:0")
    promise("obeyed", number)
    journal.remember(NOTE, str(number))
    promise("noted", number)
    durable.write(vehicle.state / WORD, word_of(number))
    promise("said", number)
    await vehicle.book.take([one])
    promise("taken", number)
    file = vehicle.work / one.uid
    file.write_bytes(body)
    outcome = vehicle_pb2.ShardOutcome(size=len(body), sha256=hashlib.sha256(body).hexdigest(), succeeded=1)
    await vehicle.book.finish(one, file, outcome)
    promise("finished", number)
    promise("piece", journal.attempts.number_piece(one.lease, [one.uid], 0))


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


if __name__ == "__main__":
    configure_logs("agent")
    leave_out(sys.argv[1])
    keys = certificates(Path(sys.argv[2]))
    live(lambda state: asyncio.run(work(state, keys)))
