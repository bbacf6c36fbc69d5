"""The live view: looks once a second, redraws on a terminal, writes changed lines elsewhere."""

import datetime as dt
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from parkade_cli.cluster import Cluster
from parkade_cli.snapshot import Snapshot
from parkade_cli.view import line, tables

LOOK_SECONDS = 1.0


class LiveView:
    """A context manager that shows snapshots: in place on a terminal, else one line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._said = ""

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Shows *snapshot*."""
        if self._live:
            self._live.update(tables(snapshot, dt.datetime.now(dt.UTC)), refresh=True)
        elif (text := line(snapshot)) != self._said:
            self._console.print(text, highlight=False, soft_wrap=True, markup=False)
            self._said = text


def watch(cluster: Cluster, view: LiveView, is_over: Callable[[Snapshot], bool]) -> Snapshot:
    """Shows the cluster until *is_over*; returns the last snapshot."""
    with view:
        while True:
            snapshot = cluster.snapshot()
            view.show(snapshot)
            if is_over(snapshot):
                return snapshot
            time.sleep(LOOK_SECONDS)
