"""Evaluation data: JSON lines of one form, which decides the metric.

    {"query": ..., "match": ...}   pairs: the query's nearest match is its own (MRR@10)
    {"input": ..., "label": ...}   labelled inputs (accuracy)
    {"input": ...}                 inputs alone (agreement with float32, which is weaker)

An input, a query or a match is what the task takes as `body.input`: a text, or base64 of a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from parkade_models.errors import ModelsError

CALIBRATION: Final = 64
"""Examples that `hold_out` keeps back at most."""


class DataError(ModelsError):
    """Evaluation data cannot be used; the sentence names the file, and the line and the field where there is one."""


class Form(StrEnum):
    """What the lines of a data file hold besides their input."""

    PAIRS = "pairs"
    LABELLED = "labelled"
    UNLABELLED = "unlabelled"


FIELDS: Final = {
    frozenset({"query", "match"}): Form.PAIRS,
    frozenset({"input", "label"}): Form.LABELLED,
    frozenset({"input"}): Form.UNLABELLED,
}


@dataclass(frozen=True, slots=True)
class Example:
    """One line: an input alone, with its label, or a query with its match."""

    input: str
    """The query of a pair."""

    label: str | None = None
    match: str | None = None

    @property
    def form(self) -> Form:
        """What the example can be scored by."""
        if self.match is not None:
            return Form.PAIRS
        return Form.UNLABELLED if self.label is None else Form.LABELLED

    def bodies(self) -> list[dict[str, Any]]:
        """The request bodies of its records: two for a pair."""
        return [{"input": text} for text in (self.input, self.match) if text is not None]


def parse_examples(raw: bytes, name: str) -> list[Example]:
    """The examples in *raw*, the content of the file called *name*. Raises DataError, a sentence."""
    examples = [_example(line, f"{name}, line {number}") for number, line in _lines(raw)]
    if not examples:
        raise DataError(f"{name} holds no lines; it must have one JSON object a line")
    for (number, _), example in zip(_lines(raw), examples, strict=True):
        if example.form != examples[0].form:
            raise DataError(
                f"{name}, line {number} is {example.form}, the first line is {examples[0].form}; "
                "all lines must be of one form"
            )
    return examples


def _lines(raw: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(raw.splitlines(), start=1) if line.strip())


def _example(line: bytes, where: str) -> Example:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{where} is not JSON: {error.msg}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where} is not an object")
    if frozenset(row) not in FIELDS:
        raise DataError(
            f"{where} has the fields {sorted(row)}; it must have query and match, input and label, or input"
        )
    values = {field: _value(row[field], field, where) for field in row}
    return Example(values.get("query") or values["input"], values.get("label"), values.get("match"))


def _value(value: object, field: str, where: str) -> str:
    if field == "label" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise DataError(
        f"{where}: {field} is {orjson.dumps(value).decode()[:40]}; it must be a string that is not empty"
    )


def hold_out(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Evenly spaced examples to calibrate with, 64 or a quarter of few, and those that share no record with them.

    Raises DataError when none is left.
    """
    count = max(1, min(CALIBRATION, len(examples) // 4))
    kept = [examples[index * len(examples) // count] for index in range(count)]
    rest = sharing_nothing(examples, kept)
    if not rest:
        raise DataError(
            f"{len(examples)} examples are too few to keep {count} of them back for calibration; "
            "give calibration data of its own"
        )
    return kept, rest


def sharing_nothing(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """Those of *examples* of which no record is one of the *others*'."""
    taken = _inputs(others)
    return [each for each in examples if taken.isdisjoint(_inputs([each]))]


def _inputs(examples: Sequence[Example]) -> set[str]:
    return {body["input"] for each in examples for body in each.bodies()}


def check_disjoint(evaluation: Sequence[Example], calibration: Sequence[Example]) -> None:
    """Raises DataError when a record of the calibration data is also scored."""
    scored = _inputs(evaluation)
    for number, example in enumerate(calibration, start=1):
        if not scored.isdisjoint(_inputs([example])):
            raise DataError(
                f"example {number} of the calibration data is in the evaluation data too; a metric on data that "
                "tuned the model says nothing"
            )
