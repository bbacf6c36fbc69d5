"""Which assignments a vehicle obeys: its own, of this session, new, still meant, well formed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_core.vehicle.assignment import MOST_AHEAD, MOST_STEP, Memory, Order, check, is_name

NOW = 1_000_000
NONCE = bytes(range(16))
MEMORY = Memory("ada", NONCE, 41)
GOOD = Order(
    vehicle="ada",
    nonce=NONCE,
    counter=42,
    not_after=NOW + 60_000,
    pod_uid="0f8fad5b-d9cb-469f-a165-70867728950e",
    batch_uid="7c9e6679-7425-40de-944b-e07fc1f90ae7",
    bundle_digest="sha256:" + "0a" * 32,
    input_digest="sha256:" + "1b" * 32,
)


def test_a_good_one_is_obeyed() -> None:
    """Up to its last millisecond, and also when counters in between were never heard."""
    assert check(GOOD, MEMORY, NOW) is None
    assert check(GOOD, MEMORY, GOOD.not_after) is None
    assert check(replace(GOOD, counter=41 + MOST_STEP), MEMORY, NOW) is None
    assert check(replace(GOOD, not_after=NOW + MOST_AHEAD), MEMORY, NOW) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vehicle": "bob"}, "is for vehicle 'bob'; this is 'ada'"),
        ({"vehicle": ""}, "is for vehicle ''"),
        ({"nonce": b"other"}, "of another session"),
        ({"nonce": b""}, "of another session"),
        ({"counter": 41}, "counter 41 is not above 41"),
        ({"counter": 0}, "counter 0 is not above 41"),
        ({"counter": 42 + MOST_STEP}, "leaps from 41"),
        ({"counter": 2**64 - 1}, "leaps from 41"),
        ({"not_after": NOW - 1500}, "expired 1.5 s ago"),
        ({"not_after": 0}, "expired"),
        ({"not_after": NOW + MOST_AHEAD + 1}, "3600 s are the most"),
        ({"not_after": 2**64 - 1}, "3600 s are the most"),
        ({"pod_uid": "../../etc"}, "the pod's UID '../../etc' is none"),
        ({"pod_uid": ""}, "the pod's UID '' is none"),
        ({"pod_uid": "a\0b"}, "the pod's UID"),
        ({"pod_uid": "a\n"}, "the pod's UID"),
        ({"pod_uid": "x" * 65}, "at most 64"),
        ({"batch_uid": "a/b"}, "the batch's UID 'a/b' is none"),
        ({"bundle_digest": "sha256:" + "0" * 63}, "the bundle's digest"),
        ({"bundle_digest": "sha256:" + "A" * 64}, "the bundle's digest"),
        ({"bundle_digest": "md5:" + "0" * 64}, "the bundle's digest"),
        ({"input_digest": "sha256:" + "0" * 64 + "\n"}, "the input's digest"),
    ],
)
def test_any_other_is_refused_with_its_reason(change: dict[str, Any], words: str) -> None:
    """Each sentence says what was wrong, and against what."""
    refusal = check(replace(GOOD, **change), MEMORY, NOW)
    assert refusal is not None
    assert words in refusal.message


def test_who_does_not_know_its_name_or_session_obeys_nothing() -> None:
    """Nothing matches by being empty on both sides."""
    assert check(replace(GOOD, vehicle=""), replace(MEMORY, vehicle=""), NOW) is not None
    assert check(replace(GOOD, nonce=b""), replace(MEMORY, nonce=b""), NOW) is not None


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(0, 50))
def test_what_is_obeyed_only_counts_up(counters: list[int], last: int) -> None:
    """Whatever is replayed in whatever order, no counter is obeyed twice, nor one below an earlier one."""
    obeyed = [last]
    for counter in counters:
        order = replace(GOOD, counter=counter)
        if check(order, replace(MEMORY, last_counter=obeyed[-1]), NOW) is None:
            obeyed.append(counter)
    assert obeyed == sorted(set(obeyed))


@given(st.text(max_size=70))
def test_a_name_is_never_a_path(text: str) -> None:
    """Whatever passes can only be an entry of the folder that it is joined to."""
    if is_name(text):
        assert not set(text) & set("/.\0\n ~$*")
        assert text.isascii()
