"""Real models of other tasks, as whole batches on the real control plane: files told apart, handwritten digits read."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from parkade_api.bundle import BundleDescription
from parkade_hack.local import LocalCluster
from parkade_models import digits, digits_data, file_types, magika
from parkade_models.bundle import Bundle
from parkade_models.search.evaluation import Example
from support.batch_input import accuracy, batch_lines
from support.batches import Garage
from support.bundles import DIGITS, MAGIKA, cached

pytestmark = [pytest.mark.long(60), pytest.mark.controlplane]

IMAGES = 200


@dataclass(frozen=True, slots=True)
class Question:
    """A model, what it is asked, and the share of right answers that it must give."""

    bundle: Bundle
    description: BundleDescription
    examples: Sequence[Example]
    gate: float


@pytest.fixture(params=["magika", "digits"])
def question(request: pytest.FixtureRequest) -> Question:
    """A real model with real data of known answers."""
    if request.param == "magika":
        examples = file_types.examples(file_types.known_files())
        return Question(cached(MAGIKA), magika.DESCRIPTION, examples, 0.95)
    images = [digit.example() for digit in digits_data.load().held_out[:IMAGES]]
    return Question(cached(DIGITS), digits.DESCRIPTION, images, 0.97)


@pytest.fixture
def garage(cluster: LocalCluster, namespace: str, question: Question) -> Iterator[Garage]:
    """A namespace with that model, a pool, and vehicles of this test alone."""
    garage = Garage(cluster, namespace, question.bundle.folder)
    yield garage
    garage.close()


def test_a_batch_of_labelled_data_is_answered_rightly(garage: Garage, question: Question) -> None:
    """The answers are as good as the model is, and lines that are none for this model are told with their cure."""
    garage.open()
    lines = list(batch_lines(question.description, question.examples))
    text = (
        lines[0].replace(question.description.endpoint.encode(), b"/v1/embeddings").replace(b'"0:', b'"text:')
    )
    broken = {"custom_id": "broken", "method": "POST", "url": question.description.endpoint}
    odd = [text, json.dumps(broken | {"body": {"input": "no base64!"}}).encode() + b"\n"]
    garage.kubectl.apply(garage.batch("labelled", [*lines, *odd]))
    status = garage.wait_for("labelled", "Completed")
    assert status["requestCounts"] == {"total": len(lines) + 2, "completed": len(lines), "failed": 2}
    output, errors = garage.files("labelled")
    assert accuracy(output) >= question.gate
    told = {line["custom_id"]: line["error"] for line in map(json.loads, errors.splitlines())}
    assert (
        f'for this model it must be "{question.description.endpoint}"'
        in told["text:" + question.examples[0].label]["message"]
    )
    assert told["broken"]["code"] == "BadRequest"
    assert "base64" in told["broken"]["message"]
