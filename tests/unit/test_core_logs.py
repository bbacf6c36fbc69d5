"""Which lines of a log a reader gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_agent.runtime.output import stamp
from parkade_core.kubelet.pod import NOT_STARTED, ContainerView, PodView
from parkade_core.logs import LONGEST_LINE_BYTES, STAMP_WIDTH, LogOptions, problem_of, select, shown, split
from parkade_core.vehicle import logs as words

LINES = [stamp(second * 1_000_000_000) + b"line %d\n" % second for second in range(1, 6)]


@pytest.mark.parametrize(
    ("since", "tail", "expected"),
    [
        (0, None, [1, 2, 3, 4, 5]),
        (3, None, [3, 4, 5]),
        (9, None, []),
        (0, 2, [4, 5]),
        (0, 0, []),
        (0, 99, [1, 2, 3, 4, 5]),
        (4, 1, [5]),
        (4, 4, [4, 5]),
    ],
)
def test_a_reader_gets_the_last_lines_that_are_young_enough(
    since: int, tail: int | None, expected: list[int]
) -> None:
    """`--since` and `--tail` each take from the front; together the stricter one counts."""
    found = select(LINES, stamp(since * 1_000_000_000) if since else b"", tail)
    assert found == [LINES[number - 1] for number in expected]


def test_stamps_have_one_width_and_sort_as_the_times_they_say() -> None:
    """A line without its stamp is a slice, and comparing stamps compares times."""
    times = [0, 1, 999_999_999, 1_000_000_000, 1_700_000_000_123_456_789]
    stamps = [stamp(time) for time in times]
    assert {len(item) for item in stamps} == {STAMP_WIDTH}
    assert stamps == sorted(stamps)
    assert stamps[-1] == b"2023-11-14T22:13:20.123456789Z "
    assert shown(LINES[0], timestamps=False) == b"line 1\n"
    assert shown(LINES[0], timestamps=True) == LINES[0]


@given(st.binary(max_size=3 * LONGEST_LINE_BYTES), st.lists(st.integers(1, 30_000), max_size=8))
def test_lines_are_the_same_however_the_output_arrives(output: bytes, cuts: list[int]) -> None:
    """No byte is lost, every line ends, none is longer than the limit, and arrival in pieces changes nothing."""
    whole, rest = split(b"", output)
    pieces, rest_of_pieces, start = list[bytes](), b"", 0
    for end in [*sorted(cuts), len(output)]:
        lines, rest_of_pieces = split(rest_of_pieces, output[start:end])
        pieces += lines
        start = max(start, end)
    assert (pieces, rest_of_pieces) == (whole, rest)
    assert all(line.endswith(b"\n") and len(line) <= LONGEST_LINE_BYTES + 1 for line in whole)
    assert b"".join([*whole, rest]).replace(b"\n", b"") == output.replace(b"\n", b"")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (LogOptions(tail_lines=-1), "tailLines"),
        (LogOptions(limit_bytes=0), "limitBytes"),
        (LogOptions(tail_lines=0, limit_bytes=1, follow=True, previous=True), None),
    ],
)
def test_options_that_nobody_can_answer_are_named(options: LogOptions, problem: str | None) -> None:
    """The sentence names what is wrong."""
    found = problem_of(options)
    assert (found is None) == (problem is None)
    assert (problem or "") in (found or "")


def test_the_sentence_of_an_offline_vehicle_says_when_and_what_was_last_known() -> None:
    """Who reads a log of a vehicle that is away learns since when, and how the slot stood."""
    view = PodView(
        {
            "runner": ContainerView("Running"),
            "sidecar": ContainerView("Waiting", reason="CrashLoopBackOff"),
        }
    )
    assert words.offline("ada", "2026-11-22T14:03:10Z", view) == (
        "vehicle ada is offline since 2026-11-22T14:03:10Z; "
        "its last slot status was: runner Running, sidecar Waiting (CrashLoopBackOff)"
    )
    assert words.offline("ada", "", NOT_STARTED).endswith("it has said nothing of this slot")
    assert "within 4 seconds" in words.unanswered("ada", 4.0, view)
