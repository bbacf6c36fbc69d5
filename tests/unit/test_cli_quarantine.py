"""Whom the cluster does not trust is written on the vehicle's Node, with a reason that its owner can read."""

from collections.abc import Mapping

import pytest

from parkade_api.wellknown import ANNOTATION_QUARANTINED
from parkade_cli.quarantine import QuarantineError, quarantine, release


class Nodes:
    """The Node of one vehicle."""

    def __init__(self) -> None:
        self.written: list[Mapping[str, str | None]] = []

    def annotate(self, node: str, annotations: Mapping[str, str | None]) -> bool:
        """Keeps what is written."""
        if node != "vehicle-ada":
            return False
        self.written.append(annotations)
        return True


def test_a_quarantine_is_written_and_taken_back() -> None:
    """The annotation holds the reason; releasing removes it."""
    nodes = Nodes()
    quarantine(nodes, "ada", "two wrong results")
    release(nodes, "ada")
    assert nodes.written == [{ANNOTATION_QUARANTINED: "two wrong results"}, {ANNOTATION_QUARANTINED: None}]


@pytest.mark.parametrize(
    ("vehicle", "why", "words"),
    [
        ("ada", "", "a sentence of 1 to 256 characters"),
        ("ada", "  ", "a sentence of 1 to 256 characters"),
        ("ada", "x" * 257, "a sentence of 1 to 256 characters"),
        ("ada", "two\nlines", "a sentence of 1 to 256 characters"),
        ("Ada", "why", "'Ada' is no vehicle id"),
        ("bob", "why", "there is no Node vehicle-bob.*kubectl parkade revoke bob"),
    ],
)
def test_a_quarantine_that_cannot_be_is_refused(vehicle: str, why: str, words: str) -> None:
    """Nothing is written, and the words say what would be right."""
    nodes = Nodes()
    with pytest.raises(QuarantineError, match=words):
        quarantine(nodes, vehicle, why)
    assert nodes.written == []
