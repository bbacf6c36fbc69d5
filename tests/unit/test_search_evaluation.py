"""Evaluation data says what is wrong with it, and never tunes what it judges."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_models.search.evaluation import (
    DataError,
    Example,
    Form,
    check_disjoint,
    hold_out,
    parse_examples,
)


@pytest.mark.parametrize(
    ("line", "example", "form"),
    [
        ({"query": "a", "match": "b"}, Example("a", match="b"), Form.PAIRS),
        ({"input": "a", "label": "cat"}, Example("a", label="cat"), Form.LABELLED),
        ({"label": 7, "input": "a"}, Example("a", label="7"), Form.LABELLED),
        ({"input": "a"}, Example("a"), Form.UNLABELLED),
    ],
)
def test_fields_of_a_line_name_its_form(line: dict[str, object], example: Example, form: Form) -> None:
    """Pairs, labelled inputs and inputs alone are told apart by their fields."""
    (found,) = parse_examples(orjson.dumps(line), "eval.jsonl")
    assert (found, found.form) == (example, form)


def test_pairs_are_two_records() -> None:
    """A query and its match each become a request body, an input one; blank lines are skipped."""
    pairs = parse_examples(b'{"query": "a", "match": "b"}\n\n{"query": "c", "match": "d"}\n', "eval.jsonl")
    assert [pair.bodies() for pair in pairs] == [
        [{"input": "a"}, {"input": "b"}],
        [{"input": "c"}, {"input": "d"}],
    ]
    assert Example("a", label="cat").bodies() == [{"input": "a"}]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", r"eval\.jsonl holds no lines"),
        (b'{"input": "a"}\n{"input": ', r"eval\.jsonl, line 2 is not JSON"),
        (b'\n["a"]', r"eval\.jsonl, line 2 is not an object"),
        (b'{"input": "\xff"}', r"line 1 is not JSON"),
        (b'{"text": "a"}', r"line 1 has the fields \['text'\]; it must have query and match"),
        (b'{"query": "a"}', r"line 1 has the fields \['query'\]"),
        (b'{"input": ""}', r'line 1: input is ""; it must be a string'),
        (b'{"input": 1}', r"line 1: input is 1; it must be a string"),
        (b'{"input": "a", "label": null}', r"line 1: label is null"),
        (b'{"input": "a", "label": true}', r"line 1: label is true"),
        (b'{"input": "a"}\n{"input": "a", "label": 1}', r"line 2 is labelled, the first line is unlabelled"),
        (b'{"input": "a"}\n\n{"query": "a", "match": "b"}', r"line 3 is pairs, the first line is unlabelled"),
    ],
)
def test_bad_line_is_named(raw: bytes, sentence: str) -> None:
    """A line that cannot be used is named with its file, its number and the field."""
    with pytest.raises(DataError, match=sentence):
        parse_examples(raw, "eval.jsonl")


@given(st.integers(2, 400))
def test_held_out_examples_are_the_others(count: int) -> None:
    """A quarter calibrates, 64 at most and one at least, evenly spaced; every other example is scored, once."""
    examples = [Example(str(number)) for number in range(count)]
    kept, rest = hold_out(examples)
    assert len(kept) == max(1, min(64, count // 4))
    assert sorted(kept + rest, key=lambda example: int(example.input)) == examples
    check_disjoint(rest, kept)


def test_one_example_cannot_calibrate_and_be_scored() -> None:
    """Where nothing would be left to score, data of its own is asked for."""
    with pytest.raises(DataError, match="1 examples are too few to keep 1 of them back"):
        hold_out([Example("a")])


def test_repeated_records_are_not_scored_when_they_calibrate() -> None:
    """What is held out shares no text with what calibrates, even when the data repeats itself."""
    pairs = [
        Example("a", match="b"),
        Example("c", match="d"),
        Example("e", match="a"),
        Example("f", match="g"),
    ]
    assert hold_out(pairs) == (pairs[:1], [pairs[1], pairs[3]])


def test_shared_record_is_refused() -> None:
    """A text that calibrates may not be scored too, not even as the other half of a pair."""
    with pytest.raises(DataError, match="example 2 of the calibration data is in the evaluation data too"):
        check_disjoint([Example("a", match="b")], [Example("c"), Example("b")])
