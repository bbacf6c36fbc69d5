"""Bytes or an image in, the likeliest labels out.

A record's body is `{"input": "<base64>"}`. Over the Open Inference Protocol `input` (BYTES [-1]) takes contents as
they are and gives `label` (BYTES [-1, top]) and `probability` (FP32 [-1, top]), the likeliest first.

Probabilities are computed from the graph's scores in float64, summed exactly (`math.fsum` rounds once) and rounded
to float32 at the end, so a CPU's vector width cannot be seen in them. Labels of the same score keep the order of the
model.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_api.bundle import TensorOutput
from parkade_api.wellknown import RecordError
from parkade_models.bundle import Bundle
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.session import Arrays, Session, TensorSpec
from parkade_models.tasks.datatypes import zeros
from parkade_models.tasks.fit import check_inputs, numbers_of
from parkade_models.tasks.inputs import open_reader
from parkade_models.tasks.inputs.body import content_of
from parkade_models.tasks.rows import check_rows, run_together
from parkade_models.tasks.task import Answer, one_by_one


class ClassificationTask:
    """A classifier. Raises BundleError when labels, graph and manifest do not fit together."""

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        self._name = manifest.name
        self._reader = open_reader(manifest.input)
        self._output = _checked(manifest.output)
        self.session = Session(bundle.path(bundle.variant.file).read_bytes(), bundle.variant.file)
        check_inputs([self._reader.spec], self.session.inputs)
        scores = numbers_of(self._output.tensor, self.session.outputs)
        check_rows(manifest.rowsPerRun, [*self.session.inputs, scores])
        self.rows_per_run = manifest.rowsPerRun
        self._labels = _labels(bundle, self._output, self._width())
        self.inputs = (TensorSpec("input", "BYTES", (-1,)),)
        shape = (-1, self._output.top)
        self.outputs = (TensorSpec("label", "BYTES", shape), TensorSpec("probability", "FP32", shape))

    def answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """For each body `{"object": "list", "data": [{"index", "label", "probability"}], "model"}`, or why not.

        When the manifest asks for more than one label, `top` lists them, the likeliest first.
        """
        contents = one_by_one(lambda body: content_of(body, "the content of one file"), bodies)
        return one_by_one(self._answer, self._classified(contents))

    def infer(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Labels and probabilities of each element of `input`. Raises BadRecordError naming the element at fault."""
        found: list[list[tuple[int, float]]] = []
        for at, top in enumerate(self._classified([bytes(item) for item in tensors["input"].reshape(-1)])):
            if isinstance(top, BadRecordError):
                raise BadRecordError(top.code, f"input[{at}]: {top.message}")
            found.append(top)
        shape = (len(found), self._output.top)
        labels = [self._labels[index].encode() for top in found for index, _ in top]
        chances = [chance for top in found for _, chance in top]
        return {
            "label": np.array(labels, np.object_).reshape(shape),
            "probability": np.array(chances, np.float32).reshape(shape),
        }

    def warm_up(self) -> None:
        """Runs a row of zeros."""
        self._run({self._reader.spec.name: zeros(self._reader.spec)})

    def _classified(
        self, contents: Sequence[bytes | BadRecordError]
    ) -> list[list[tuple[int, float]] | BadRecordError]:
        """The likeliest labels of each content, by number, and their probabilities."""
        found: list[list[tuple[int, float]] | BadRecordError] = []
        for start in range(0, len(contents), self.rows_per_run):
            rows = one_by_one(self._feeds, contents[start : start + self.rows_per_run])
            found += one_by_one(self._top, run_together(self._run, rows))
        return found

    def _feeds(self, content: bytes) -> Arrays:
        return {self._reader.spec.name: self._reader.row(content)}

    def _run(self, feeds: Arrays) -> Arrays:
        return {self._output.tensor: self.session.run([self._output.tensor], feeds)[0]}

    def _top(self, outputs: Arrays) -> list[tuple[int, float]]:
        chances = probabilities(outputs[self._output.tensor].reshape(-1), self._output.postprocess)
        order = sorted(range(len(chances)), key=lambda index: -chances[index])
        return [(index, chances[index]) for index in order[: self._output.top]]

    def _answer(self, top: list[tuple[int, float]]) -> dict[str, Any]:
        rows = [{"label": self._labels[index], "probability": np.float32(chance)} for index, chance in top]
        entry: dict[str, Any] = {"index": 0} | rows[0]
        if self._output.top > 1:
            entry["top"] = rows
        return {"object": "list", "data": [entry], "model": self._name}

    def _width(self) -> int:
        """How many scores the graph gives for one row."""
        try:
            scores = self._run({self._reader.spec.name: zeros(self._reader.spec)})[self._output.tensor]
        except BadRecordError:
            raise BundleError("the model cannot be run on a row of zeros; the log says why") from None
        return scores.size


def probabilities(scores: NDArray[Any], postprocess: str) -> list[float]:
    """The scores themselves, or their softmax. Raises BadRecordError when one is no finite number."""
    exact: list[float] = scores.astype(np.float64).tolist()
    if not all(map(math.isfinite, exact)):
        message = "The model gave a score that is no finite number for this record."
        raise BadRecordError(RecordError.INFERENCE_FAILED, message)
    if postprocess == "none":
        return exact
    highest = max(exact)
    powers = [math.exp(score - highest) for score in exact]
    total = math.fsum(powers)
    return [power / total for power in powers]


def _checked(output: TensorOutput | None) -> TensorOutput:
    if output is None or output.postprocess == "l2":
        raise BundleError("task classification needs an output whose postprocess is none or softmax")
    return output


def _labels(bundle: Bundle, output: TensorOutput, width: int) -> list[str]:
    """One label for each of the graph's scores: lines of the labels file, or numbers from 0 when there is none."""
    if output.top > width:
        raise BundleError(
            f"the manifest asks for the top {output.top} labels, the graph gives {width} scores"
        )
    if output.labels is None:
        return [str(index) for index in range(width)]
    try:
        labels = bundle.path(output.labels).read_text("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise BundleError(f"{output.labels} is not UTF-8") from None
    if len(labels) != width:
        raise BundleError(f"{output.labels} has {len(labels)} labels, the graph gives {width} scores")
    return labels


TASK: Final = ClassificationTask
