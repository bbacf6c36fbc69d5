"""Arrays in, arrays out: for a model that no other task knows.

A record's body is `{"input": "<base64 of .npz>"}`, its answer `{"object": "tensors", "data": "<base64 of .npz>", ...}`.
Over the Open Inference Protocol the tensors are the graph's own. Numbers that are not finite are given as they are.

A record, or a call, is one run. Only where the build proved that rows do not depend on each other (rowsPerRun above
1) are records that have one row each run together, and records of more rows cut.
"""

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_api.bundle import TensorInput, TensorOutput
from parkade_api.wellknown import RecordError
from parkade_models.bundle import Bundle
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.session import Arrays, Session, TensorSpec
from parkade_models.tasks.datatypes import zeros
from parkade_models.tasks.fit import check_inputs, output_of
from parkade_models.tasks.inputs.body import content_of
from parkade_models.tasks.npz import read_npz, write_npz
from parkade_models.tasks.rows import check_rows, run_in_parts, run_together
from parkade_models.tasks.task import Answer, one_by_one


class TensorTask:
    """Any graph. Raises BundleError when graph and manifest do not fit together."""

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        if not isinstance(manifest.input, TensorInput):
            raise BundleError(f"input has kind {manifest.input.kind}; task tensor needs tensor")
        self._name = manifest.name
        self.session = Session(bundle.path(bundle.variant.file).read_bytes(), bundle.variant.file)
        self.inputs = tuple(
            TensorSpec(each.name, each.datatype, tuple(each.shape)) for each in manifest.input.tensors
        )
        check_inputs(self.inputs, self.session.inputs)
        self.outputs = _outputs(manifest.output, self.session.outputs)
        check_rows(manifest.rowsPerRun, [*self.inputs, *self.outputs])
        self.rows_per_run = manifest.rowsPerRun

    def answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The arrays that the model gives for each record's, or why there are none."""
        return one_by_one(self._answer, self._run_all(one_by_one(self._read, bodies)))

    def infer(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The graph's outputs; elements of BYTES are UTF-8 both ways. Raises BadRecordError."""
        outputs = self._run_parts({name: _decoded(name, array) for name, array in tensors.items()})
        return {name: _encoded(array) for name, array in outputs.items()}

    def warm_up(self) -> None:
        """Runs zeros; a model that takes no zeros is as good as any other."""
        with suppress(BadRecordError):
            self._run({spec.name: zeros(spec) for spec in self.inputs})

    def _read(self, body: Mapping[str, Any]) -> Arrays:
        return read_npz(content_of(body, "an .npz file"), self.inputs)

    def _answer(self, outputs: Arrays) -> dict[str, Any]:
        data = base64.b64encode(write_npz(outputs)).decode()
        return {"object": "tensors", "data": data, "model": self._name}

    def _run_all(self, records: Sequence[Arrays | BadRecordError]) -> list[Arrays | BadRecordError]:
        if self.rows_per_run == 1 or not _are_alike(records):
            return one_by_one(self._run_parts, records)
        starts = range(0, len(records), self.rows_per_run)
        parts = (run_together(self._run, records[at : at + self.rows_per_run]) for at in starts)
        return [outputs for part in parts for outputs in part]

    def _run_parts(self, feeds: Arrays) -> Arrays:
        return (
            self._run(feeds) if self.rows_per_run == 1 else run_in_parts(self._run, feeds, self.rows_per_run)
        )

    def _run(self, feeds: Arrays) -> Arrays:
        names = [spec.name for spec in self.outputs]
        return dict(zip(names, self.session.run(names, feeds), strict=True))


def _outputs(described: TensorOutput | None, graph: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    if described is None:
        return graph
    if described.postprocess != "none":
        raise BundleError(f"output has postprocess {described.postprocess}; task tensor needs none")
    return (output_of(described.tensor, graph),)


def _are_alike(records: Sequence[Arrays | BadRecordError]) -> bool:
    """All records, but for errors, have one row and the same shapes."""
    good = [record for record in records if not isinstance(record, BadRecordError)]
    shapes = {tuple(array.shape for array in record.values()) for record in good}
    return len(shapes) == 1 and all(shape[0] == 1 for shape in shapes.pop())


def _decoded(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Elements of BYTES as text: onnxruntime would take bytes for their Python notation."""
    if array.dtype != np.object_:
        return array
    texts = np.empty(array.size, np.object_)
    try:
        texts[:] = [bytes(item).decode() for item in array.reshape(-1)]
    except UnicodeDecodeError:
        raise BadRecordError(
            RecordError.BAD_REQUEST, f"Input {name} holds an element that is not UTF-8."
        ) from None
    return texts.reshape(array.shape)


def _encoded(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype != np.object_:
        return array
    items = np.empty(array.size, np.object_)
    items[:] = [text.encode() for text in array.reshape(-1)]
    return items.reshape(array.shape)


TASK: Final = TensorTask
