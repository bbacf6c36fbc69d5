"""Who has tried which shard of a batch, by the journals of vehicles, and which were opened again, by the gateway."""

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_hack.local import Vehicle

_OPENED_AGAIN = {"shards handed back", "shards released", "lease expired"}


@dataclass(frozen=True, slots=True)
class Reopening:
    """Shards that a vehicle had and has no more, at a moment in Unix seconds."""

    vehicle: str
    shards: frozenset[int]
    at: float


def reopenings(gateway_log: Path, uid: str) -> Iterator[Reopening]:
    """Every time that shards of the batch were opened again, in order."""
    for line in gateway_log.read_text(encoding="utf-8").splitlines():
        if uid in line and (told := json.loads(line))["event"] in _OPENED_AGAIN:
            moment = dt.datetime.fromisoformat(told["timestamp"]).timestamp()
            yield Reopening(told["vehicle"], frozenset(told["shards"]), moment)


def attempted(vehicle: Vehicle, uid: str) -> list[int]:
    """The shard of every attempt of the batch that the vehicle's journal knows."""
    with closing(sqlite3.connect(journal_of(vehicle))) as journal:
        rows = journal.execute("SELECT granted FROM attempts WHERE batch_uid = ?", (uid,)).fetchall()
    return [fleet_pb2.LeasedShard.FromString(granted).shard for (granted,) in rows]


def journal_of(vehicle: Vehicle) -> Path:
    """The file that the vehicle's agent writes."""
    return vehicle.folder / "state" / "journal.sqlite"
