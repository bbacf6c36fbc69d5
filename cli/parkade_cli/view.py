"""A snapshot as people read it: two tables on a terminal, one line in a log."""

import datetime as dt

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from parkade_cli.snapshot import BatchRow, Snapshot, VehicleRow

BAR_WIDTH = 24
_COLOURS = {"Working": "green", "Free": "cyan", "Closed": "yellow", "Silent": "red", "Unknown": "dim"}


def tables(snapshot: Snapshot, now: dt.datetime) -> RenderableType:
    """Vehicles and batches as tables; *now* is aware and turns ETAs into remaining time."""
    return Group(_vehicles(snapshot.vehicles), _batches(snapshot.batches, now))


def line(snapshot: Snapshot) -> str:
    """Vehicles and batches in one line of a log."""
    batches = (
        f"{row.name} {row.phase} {row.percent} %,"
        f" {row.shards_done} of {row.shards} shards, {row.shards_leased} in vehicles"
        for row in snapshot.batches
    )
    vehicles = (f"{row.name} {row.state}{_brief(row)}" for row in snapshot.vehicles)
    return " | ".join([*batches, *vehicles]) or "no vehicles and no batches yet"


def remaining(eta: str, now: dt.datetime) -> str:
    """The time from *now* to *eta* (RFC 3339) as "1 min 20 s", or a dash when nobody knows."""
    if not eta:
        return "-"
    seconds = max(int((dt.datetime.fromisoformat(eta) - now).total_seconds()), 0)
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _brief(row: VehicleRow) -> str:
    reason = row.why.partition(":")[0]
    return f" ({reason})" if reason not in {"", row.state} else ""


def _vehicles(rows: tuple[VehicleRow, ...]) -> Table:
    table = Table("Vehicle", "State", "Why", "Taints", title="Vehicles", title_justify="left", expand=True)
    for row in rows:
        state = Text(row.state, style=_COLOURS.get(row.state, ""))
        table.add_row(Text(row.name), state, Text(row.why), Text("\n".join(row.taints)))
    return table


def _batches(rows: tuple[BatchRow, ...], now: dt.datetime) -> Table:
    columns = ("Batch", "Phase", "Progress", "", "Records", "Failed", "Shards", "Vehicles", "ETA")
    table = Table(*columns, title="Batches", title_justify="left", expand=True)
    for row in rows:
        shards = f"{row.shards_done} of {row.shards}, {row.shards_leased} leased"
        table.add_row(
            Text(f"{row.namespace}/{row.name}"),
            Text(row.phase),
            ProgressBar(total=100, completed=row.percent, width=BAR_WIDTH),
            f"{row.percent} %",
            f"{row.records_done} of {row.records}",
            str(row.records_failed),
            shards,
            str(row.vehicles),
            remaining(row.eta, now),
        )
    return table
