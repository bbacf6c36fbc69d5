"""Who has tried which shard of a batch, by the journals of vehicles, and which were opened again, by the gateway."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parkade_agent.journal.attempts import Fate
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_hack.local import Vehicle

_OPENED_AGAIN = {"shards handed back", "shards released", "lease expired"}


@dataclass(frozen=True, slots=True)
class Reopening:
    """Shards that a vehicle had and has no more."""

    vehicle: str
    shards: frozenset[int]


def reopenings(gateway_log: Path, uid: str) -> Iterator[Reopening]:
    """Every time that shards of the batch were opened again, in order."""
    for line in gateway_log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines():
        if uid in line and (told := json.loads(line))["event"] in _OPENED_AGAIN:
            yield Reopening(told["vehicle"], frozenset(told["shards"]))


def attempted(vehicle: Vehicle, uid: str) -> list[int]:
    """The shard of every attempt of the batch that the vehicle's journal knows."""
    rows = _read(vehicle, "SELECT granted FROM attempts WHERE batch_uid = ?", uid)
    return [fleet_pb2.LeasedShard.FromString(granted).shard for (granted,) in rows]


def in_hand(vehicle: Vehicle) -> set[int]:
    """The shards of the attempts that the vehicle's journal has as begun or finished, and not as settled."""
    rows = _read(vehicle, "SELECT granted FROM attempts WHERE fate IN (?, ?)", Fate.IN_HAND, Fate.FINISHED)
    return {fleet_pb2.LeasedShard.FromString(granted).shard for (granted,) in rows}


def counter_of(vehicle: Vehicle) -> int:
    """The highest counter of an assignment that the vehicle has obeyed; 0 before the first."""
    ((counter,),) = _read(vehicle, "SELECT max(counter) FROM assignments")
    return counter or 0


def _read(vehicle: Vehicle, question: str, *values: str) -> list[tuple[Any, ...]]:
    # Read-only: whoever may write and leaves last would do the recovery that is the next agent's.
    path = f"file:{vehicle.folder}/state/journal.sqlite?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as journal:
        return journal.execute(question, values).fetchall()
