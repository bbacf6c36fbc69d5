"""The merge patch of a status: what differs, and what went away."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_core.patches import merge_patch

_PLAIN = st.one_of(st.booleans(), st.integers(-3, 3), st.text(max_size=3))
_OBJECTS = st.recursive(
    _PLAIN, lambda values: st.dictionaries(st.text("abc", max_size=2), values, max_size=4)
)


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {"a": 1}, {"a": 1}),
        (
            {"reasons": {"Driving": 1}},
            {"reasons": {"Silent": 2}},
            {"reasons": {"Silent": 2, "Driving": None}},
        ),
        ({"reasons": None}, {"reasons": {"Silent": 2}}, {"reasons": {"Silent": 2}}),
        ({"reasons": {"Driving": 1}}, {"reasons": None}, {"reasons": None}),
        ({"list": [1, 2]}, {"list": [2]}, {"list": [2]}),
    ],
)
def test_a_merge_patch_names_what_is_gone(before: Any, after: Any, patch: Any) -> None:
    """A key that went away is null; a list is replaced whole."""
    assert merge_patch(before, after) == patch


def _apply(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _apply(result.get(key), value)
    return result


@given(before=_OBJECTS, after=_OBJECTS)
def test_a_merge_patch_applied_gives_the_new_object(before: Any, after: Any) -> None:
    """Whatever was there before, what is there afterwards is what was wanted."""
    assert _apply(before, merge_patch(before, after)) == after
