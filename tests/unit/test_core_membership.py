"""Which pool a vehicle belongs to, and how long one that refuses is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.v1alpha1.common import LabelSelector
from parkade_core.vehicle.membership import matches, pool_of
from parkade_core.vehicle.patience import hold_seconds
from support.objects import pool

EU = {"region": "eu", "hardware": "hw4"}


def expression(key: str, operator: str, *values: str) -> dict[str, object]:
    """A selector of one expression."""
    part: dict[str, object] = {"key": key, "operator": operator}
    return {"matchExpressions": [part | ({"values": list(values)} if values else {})]}


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({}, True),
        ({"matchLabels": {"region": "eu"}}, True),
        ({"matchLabels": {"region": "eu", "hardware": "hw3"}}, False),
        ({"matchLabels": {"absent": ""}}, False),
        (expression("region", "In", "us", "eu"), True),
        (expression("region", "In", "us"), False),
        (expression("absent", "In", "us"), False),
        (expression("region", "In"), False),
        (expression("region", "NotIn", "us"), True),
        (expression("region", "NotIn", "eu"), False),
        (expression("absent", "NotIn", "us"), True),
        (expression("region", "Exists"), True),
        (expression("absent", "Exists"), False),
        (expression("absent", "DoesNotExist"), True),
        (expression("region", "DoesNotExist"), False),
        ({"matchLabels": {"region": "eu"}} | expression("hardware", "In", "hw3"), False),
        ({"matchLabels": {"region": "eu"}} | expression("hardware", "In", "hw4"), True),
    ],
)
def test_selectors_mean_what_they_mean_in_kubernetes(selector: dict[str, object], fits: bool) -> None:  # noqa: FBT001 - a table
    """All labels and all expressions must hold; NotIn holds for an absent label, too."""
    assert matches(LabelSelector.model_validate(selector), EU) is fits


def test_the_pool_of_highest_weight_wins_then_the_first_by_name() -> None:
    """The choice does not depend on the order in which pools were seen."""
    pools = [
        pool("b", weight=5),
        pool("a", weight=5),
        pool("0-light", weight=2),
        pool("heavy", weight=9, matchLabels={"region": "us"}),
    ]
    for seen in (pools, pools[::-1]):
        chosen = pool_of(EU, seen)
        assert chosen is not None
        assert chosen.metadata.name == "a"


def test_a_vehicle_may_fit_no_pool() -> None:
    """No pool is an answer: the vehicle stays closed."""
    assert pool_of(EU, [pool("us", matchLabels={"region": "us"})]) is None
    assert pool_of(EU, []) is None


@pytest.mark.parametrize(("endings", "seconds"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (10**6, 300)])
def test_patience_doubles_up_to_five_minutes(endings: int, seconds: float) -> None:
    """However often a vehicle ends its slots, it is asked again within five minutes."""
    assert hold_seconds(endings) == seconds


@given(st.integers(1, 10_000))
def test_patience_never_shrinks(endings: int) -> None:
    """One more ending never shortens the wait."""
    assert 0 < hold_seconds(endings) <= hold_seconds(endings + 1)
