"""What `helm test` makes of what it finds: well or not, and what helps."""

from typing import Any

import pytest

from parkade_api.wellknown import LABEL_POOL, Condition
from parkade_core.check import Finding, judge_crd, judge_gateway, judge_leader, judge_vehicles
from parkade_core.leadership import LeaseView

HELD = LeaseView("7", "gateway-a")


def item(condition: str, status: str, **labels: str) -> dict[str, Any]:
    """An object with one condition."""
    return {
        "metadata": {"labels": labels},
        "status": {"conditions": [{"type": condition, "status": status}]},
    }


@pytest.mark.parametrize(
    ("found", "is_well", "words"),
    [
        (None, False, "helm upgrade with crds.install=true"),
        ({"metadata": {}}, False, "not established"),
        (item("Established", "False"), False, "not established"),
        (item("Established", "True"), True, "it is served"),
    ],
)
def test_a_crd_is_well_when_it_is_served(found: Any, words: str, *, is_well: bool) -> None:
    """A CRD that is missing or refused by the API server fails the check."""
    finding = judge_crd("x", found)
    assert (finding.is_well, words in finding.sentence) == (is_well, True)


@pytest.mark.parametrize(
    ("before", "now", "is_well", "words"),
    [
        (None, None, False, "there is no Lease gw: helm upgrade"),
        (HELD, LeaseView("8"), False, "nobody holds the Lease gw"),
        (HELD, HELD, False, "gateway-a holds the Lease gw and does not renew it: kubectl logs gateway-a"),
        (None, HELD, False, "does not renew"),
        (HELD, LeaseView("8", "gateway-a"), True, "gateway-a leads"),
        (HELD, LeaseView("8", "gateway-b"), True, "gateway-b leads"),
    ],
)
def test_a_leader_is_well_when_it_renews(
    before: LeaseView | None, now: LeaseView | None, words: str, *, is_well: bool
) -> None:
    """Who holds a Lease must be seen to renew it; clocks are not compared."""
    finding = judge_leader("gw", before, now)
    assert (finding.is_well, words in finding.sentence) == (is_well, True), finding


@pytest.mark.parametrize(
    ("authority", "answer", "is_well", "words"),
    [
        ("", "", False, "not published its CA yet"),
        ("pem", "", False, "no answer: is a pod of it Ready"),
        ("pem", "UNAVAILABLE, refused", False, "UNAVAILABLE, refused"),
        ("pem", "NOT_SERVING", False, "NOT_SERVING"),
        ("pem", "SERVING", True, "it serves"),
    ],
)
def test_a_gateway_is_well_when_it_serves(authority: str, answer: str, words: str, *, is_well: bool) -> None:
    """It must answer under the CA that vehicles are told to trust."""
    finding = judge_gateway("gw:1", authority, answer)
    assert (finding.is_well, words in finding.sentence) == (is_well, True), finding


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([], "0 of 0 are connected: enable simulation"),
        ([item(Condition.CONNECTIVITY_OK, "True", **{LABEL_POOL: "a"})], "1 of 1 are connected"),
        ([item(Condition.CONNECTIVITY_OK, "Unknown")], "0 of 1 are connected, and 1 belong to no pool"),
    ],
)
def test_vehicles_are_counted_and_fail_nothing(nodes: list[Any], words: str) -> None:
    """A release without vehicles works; the line says how to get some."""
    finding = judge_vehicles(nodes)
    assert finding.is_well
    assert finding.sentence.startswith(words)


def test_a_line_says_at_once_whether_it_is_well() -> None:
    """Lines begin with ok or FAILED, so that a log can be searched for them."""
    assert Finding("a", True, "b").line == "ok      a: b"
    assert Finding("a", False, "b").line == "FAILED  a: b"
