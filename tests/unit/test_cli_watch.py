"""`kubectl parkade watch`: what it makes of the API server's objects."""

import datetime as dt
import io
from typing import Any

import pytest
from rich.console import Console

from parkade_cli.snapshot import Snapshot, summarize
from parkade_cli.view import line, remaining
from parkade_cli.watch import LiveView, watch

NOW = dt.datetime(2026, 8, 1, 12, 0, tzinfo=dt.UTC)


def _node(name: str, *taints: str, condition: tuple[str, str, str] | None = None) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "False", "reason": "NotOurs", "message": ""}]
    if condition:
        kind, reason, message = condition
        conditions.append({"type": kind, "status": "False", "reason": reason, "message": message})
    return {
        "metadata": {"name": name},
        "spec": {"taints": [_taint(text) for text in taints]},
        "status": {"conditions": conditions},
    }


def _taint(text: str) -> dict[str, str]:
    label, _, effect = text.partition(":")
    key, _, value = label.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _pod(node: str, phase: str = "Running", **metadata: str) -> dict[str, Any]:
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase}}


BATCH = {
    "metadata": {"name": "docs", "namespace": "default"},
    "status": {
        "phase": "InProgress",
        "progressPercent": 35,
        "requestCounts": {"total": 2000, "completed": 700, "failed": 2},
        "shards": {"total": 20, "succeeded": 7, "leased": 3},
        "usage": {"vehicles": 3},
    },
}


@pytest.mark.parametrize(
    ("node", "pods", "state"),
    [
        (_node("vehicle-a"), [_pod("vehicle-a")], "Working"),
        (_node("vehicle-a"), [_pod("vehicle-a", "Pending")], "Free"),
        (_node("vehicle-a"), [_pod("vehicle-a", deletionTimestamp="2026-08-01T12:00:00Z")], "Free"),
        (_node("vehicle-a", "parkade.dev/unknown:NoSchedule"), [], "Unknown"),
        (_node("vehicle-a", "parkade.dev/driving:NoExecute"), [], "Closed"),
        (_node("vehicle-a", "parkade.dev/connectivity=offline:NoSchedule"), [_pod("vehicle-a")], "Silent"),
        (_node("vehicle-a", "virtual-kubelet.io/provider:NoSchedule"), [], "Free"),
    ],
)
def test_a_vehicles_state_is_read_from_its_node_and_pods(
    node: dict[str, Any], pods: list[dict[str, Any]], state: str
) -> None:
    """A vehicle works when a slot runs on it, and is closed when a verdict or a taint of ours says so."""
    assert summarize([node], pods, []).vehicles[0].state == state


def test_a_closed_vehicle_says_why_with_the_number() -> None:
    """The message of the failed condition is shown; conditions that are not ours are not."""
    low = ("BatteryOK", "LowBattery", "StateOfCharge 41 % is under the floor of 60 %")
    row = summarize([_node("vehicle-a", condition=low)], [], []).vehicles[0]
    assert row.why == "LowBattery: StateOfCharge 41 % is under the floor of 60 %"


def test_a_log_line_says_everything_that_counts() -> None:
    """Outside a terminal one line holds batch, shards and every vehicle with its reason."""
    driving = ("VehicleParked", "Driving", "Vehicle.IsMoving is true")
    nodes = [_node("vehicle-b", "parkade.dev/driving:NoExecute", condition=driving), _node("vehicle-a")]
    assert line(summarize(nodes, [_pod("vehicle-a")], [BATCH])) == (
        "docs InProgress 35 %, 7 of 20 shards, 3 in vehicles | vehicle-a Working | vehicle-b Closed (Driving)"
    )


def test_a_log_line_says_no_word_twice() -> None:
    """A vehicle whose reason is what its state says is told with the state alone."""
    silent = ("ConnectivityOK", "Silent", "nothing heard for 31 s")
    node = _node("vehicle-a", "parkade.dev/connectivity=offline:NoSchedule", condition=silent)
    assert line(summarize([node], [], [])) == "vehicle-a Silent"


@pytest.mark.parametrize(
    ("eta", "words"),
    [
        ("", "-"),
        ("2026-08-01T12:00:42Z", "42 s"),
        ("2026-08-01T12:02:05Z", "2 min 5 s"),
        ("2026-08-01T11:59:00Z", "0 s"),
    ],
)
def test_an_eta_is_told_as_remaining_time(eta: str, words: str) -> None:
    """People want to know how long, not when; an ETA that has passed is no time at all."""
    assert remaining(eta, NOW) == words


class Once:
    """A cluster that is seen once and is done."""

    def snapshot(self) -> Snapshot:
        """One working vehicle and one batch."""
        return summarize([_node("vehicle-a")], [_pod("vehicle-a")], [BATCH])


@pytest.mark.parametrize(("is_terminal", "expected"), [(True, "Vehicles"), (False, "docs InProgress 35 %")])
def test_the_view_fits_where_it_is_shown(*, is_terminal: bool, expected: str) -> None:
    """A terminal gets tables, a log gets lines."""
    stream = io.StringIO()
    watch(Once(), LiveView(Console(file=stream, force_terminal=is_terminal, width=120)), lambda _: True)
    assert expected in stream.getvalue()
    assert "vehicle-a" in stream.getvalue()
