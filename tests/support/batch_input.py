"""Labelled data as the input of a batch, and the share of right answers in its output.

A record's custom_id ends with the right label, so that output.jsonl alone tells how good the batch was.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from parkade_api.bundle import BundleDescription
from parkade_models.search.evaluation import Example


def batch_lines(description: BundleDescription, examples: Iterable[Example]) -> Iterator[bytes]:
    """The lines of a batch's input for that bundle: `<number>:<label>` asks about each labelled example."""
    for number, example in enumerate(examples):
        record = {
            "custom_id": f"{number}:{example.label}",
            "method": "POST",
            "url": description.endpoint,
            "body": {"model": description.name, "input": example.input},
        }
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def accuracy(output: bytes) -> float:
    """The share of lines of an output.jsonl whose likeliest label is the one that their custom_id ends with."""
    lines = output.splitlines()
    return sum(map(_is_right, lines)) / len(lines)


def _is_right(line: bytes) -> bool:
    row: dict[str, Any] = orjson.loads(line)
    wanted: str = row["custom_id"].partition(":")[2]
    found: str = row["response"]["body"]["data"][0]["label"]
    return found == wanted
