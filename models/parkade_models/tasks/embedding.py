"""Text in, unit vector out: tokenizer, one row a run without padding, pooled output, L2 norm.

Pooling is part of the graph. The norm is summed in float64, one square after the other, so it is the same number
whatever the CPU's vector width.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from parkade_api.bundle import TextInput
from parkade_api.wellknown import RecordError
from parkade_models.bundle import Bundle
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.session import Session, TensorSpec
from parkade_models.tasks.fit import check_inputs, numbers_of
from parkade_models.tasks.inputs.body import string_of
from parkade_models.tasks.task import Answer, one_by_one

_WARM_UP_TEXT: Final = "The vehicle is parked and has time to spare."
_NO_MEMORY: Final = "out of memory"  # in these words the tokenizers package tells of it
_log = structlog.get_logger()
_ENCODING_FIELDS: Final = ("ids", "attention_mask", "type_ids")


class EmbeddingTask:
    """A text embedding model. Raises BundleError when tokenizer, graph and manifest do not fit together."""

    rows_per_run = 1

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        self.bundle = bundle
        if not isinstance(manifest.input, TextInput) or manifest.output is None:
            raise BundleError("task embedding needs an input of kind text, and an output")
        self._name = manifest.name
        self._input = manifest.input
        self._output = manifest.output
        self._tokenizer = _load_tokenizer(bundle.path(self._input.tokenizer), self._input.maxTokens)
        self.session = Session(bundle.path(bundle.variant.file).read_bytes(), bundle.variant.file)
        check_inputs(
            [TensorSpec(name, "INT64", (1, -1)) for name in self._input.tensors], self.session.inputs
        )
        numbers_of(self._output.tensor, self.session.outputs)
        self.inputs = (TensorSpec("text", "BYTES", (-1,)),)
        self.outputs = (TensorSpec("embedding", "FP32", (-1, self._width())),)

    def answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """An OpenAI embeddings response, or why there is none, for each OpenAI embeddings request body."""
        return one_by_one(self.answer, bodies)

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """An OpenAI embeddings response to an OpenAI embeddings request body. Raises BadRecordError."""
        vector, tokens = self.embed(string_of(body, "the text to embed: one record a text"))
        return {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": vector}],
            "model": self._name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def infer(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Embeds each element of `text`, UTF-8 bytes, by itself. Raises BadRecordError naming the element at fault."""
        vectors = [self._embed_element(at, item) for at, item in enumerate(tensors["text"].reshape(-1))]
        width = self.outputs[0].shape[1]
        return {"embedding": np.stack(vectors) if vectors else np.empty((0, width), np.float32)}

    def _embed_element(self, at: int, item: Any) -> NDArray[np.float32]:
        try:
            return self.embed(_decode(item))[0]
        except BadRecordError as error:
            raise BadRecordError(error.code, f"text[{at}]: {error.message}") from error.__cause__

    def embed(self, text: str) -> tuple[NDArray[np.float32], int]:
        """The vector of one text, and how many tokens of it the model saw."""
        if not text.strip():
            raise BadRecordError(RecordError.EMPTY_TEXT, "The input is empty; give a text to embed.")
        encoding = self._encode(text)
        columns = (getattr(encoding, field) for field in _ENCODING_FIELDS)
        feeds = {
            name: np.array([column], np.int64)
            for name, column in zip(self._input.tensors, columns, strict=False)
        }
        vector = self.session.run([self._output.tensor], feeds)[0].reshape(-1)
        return (_unit(vector) if self._output.postprocess == "l2" else vector), len(encoding.ids)

    def _encode(self, text: str) -> Encoding:
        try:
            return self._tokenizer.encode(text)
        except (MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # bare Exception, or a panic of Rust, whose class cannot be imported
            _log.warning("tokenizing failed", error=str(error))
            message = "The text could not be cut into tokens."
            raise BadRecordError(RecordError.INFERENCE_FAILED, message) from error

    def warm_up(self) -> None:
        """Embeds one short text."""
        self.embed(_WARM_UP_TEXT)

    def _width(self) -> int:
        """How many numbers a vector has."""
        try:
            return self.embed(_WARM_UP_TEXT)[0].size
        except BadRecordError as error:
            reason = error.__cause__ or error
            raise BundleError(f"the model cannot embed {_WARM_UP_TEXT!r}: {reason}") from error


def _load_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """Raises BundleError, or MemoryError: that says nothing of the file."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers package raises bare Exception
        if isinstance(error, MemoryError) or str(error) == _NO_MEMORY:
            raise MemoryError(f"{path.name} needs more memory to load than there is") from error
        raise BundleError(f"{path.name} cannot be loaded as a tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _decode(item: Any) -> str:
    try:
        return bytes(item).decode()
    except UnicodeDecodeError:
        raise BadRecordError(RecordError.BAD_REQUEST, "A text must be UTF-8.") from None


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    exact = vector.astype(np.float64)
    # Unlike a sum, a running sum has one order only.
    norm = math.sqrt(np.add.accumulate(exact * exact)[-1])
    if not math.isfinite(norm) or norm == 0.0:
        raise BadRecordError(RecordError.INFERENCE_FAILED, "The model gave no direction for this record.")
    return (exact / norm).astype(np.float32)


TASK: Final = EmbeddingTask
