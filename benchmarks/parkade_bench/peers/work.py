"""What every contender does for an item, in plain onnxruntime.

Not a line of Parkade is in it: peers run it in environments of their own, and `raw.py` runs it with nothing around it.
"""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

Rows = NDArray[np.float32]
Run = Callable[[Mapping[str, NDArray[Any]]], Rows]


class TextWork:
    """Texts to unit vectors: one text a run, so nothing is padded."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any], run: Run) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / manifest["input"]["tokenizer"]))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(manifest["input"]["maxTokens"])
        self._tensors = manifest["input"]["tensors"]
        self._run = run

    def answer(self, items: Sequence[bytes]) -> Rows:
        """One unit vector for each text."""
        return np.stack([self._embed(item.decode()) for item in items])

    def _embed(self, text: str) -> Rows:
        encoding = self._tokenizer.encode(text)
        columns = (encoding.ids, encoding.attention_mask, encoding.type_ids)
        feeds = {
            name: np.array([column], np.int64) for name, column in zip(self._tensors, columns, strict=False)
        }
        vector = self._run(feeds)[0]
        unit: Rows = vector / np.sqrt(vector @ vector)
        return unit


class ImageWork:
    """Images to probabilities of labels: all images of a call in one run."""

    def __init__(self, manifest: Mapping[str, Any], run: Run) -> None:
        self._input = manifest["input"]
        self._mean = np.array(self._input["mean"], np.float32)
        self._std = np.array(self._input["std"], np.float32)
        self._run = run

    def answer(self, items: Sequence[bytes]) -> Rows:
        """A row of probabilities for each PNG or JPEG file."""
        logits = self._run({self._input["tensor"]: np.stack([self._pixels(item) for item in items])})
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        rows: Rows = powers / powers.sum(axis=1, keepdims=True)
        return rows

    def _pixels(self, item: bytes) -> Rows:
        size = (self._input["width"], self._input["height"])
        with Image.open(io.BytesIO(item)) as image:
            resized = image.convert(self._input["mode"]).resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(resized, np.float32).reshape(size[1], size[0], -1)
        pixels = (pixels / np.float32(255) - self._mean) / self._std
        return pixels.transpose(2, 0, 1) if self._input["layout"] == "NCHW" else pixels


Work = TextWork | ImageWork


def open_work(folder: Path, open_run: Callable[[Path, str], Run] | None = None) -> Work:
    """The work of the bundle in *folder*, on onnxruntime unless *open_run* says otherwise."""
    manifest = read_manifest(folder)
    model = folder / manifest["variants"][0]["file"]
    run = (open_run or onnxruntime_run)(model, manifest["output"]["tensor"])
    if manifest["input"]["kind"] == "text":
        return TextWork(folder, manifest, run)
    return ImageWork(manifest, run)


def onnxruntime_run(model: Path, output: str) -> Run:
    """Onnxruntime as the sidecar sets it: one thread a run, no spinning."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run([output], feeds)[0]


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the bundle in *folder*."""
    manifest: dict[str, Any] = json.loads((folder / "bundle.json").read_bytes())
    return manifest


def tensor_of(manifest: Mapping[str, Any]) -> str:
    """The input tensor by which servers take the items."""
    return "text" if manifest["input"]["kind"] == "text" else "input"


def item_of(manifest: Mapping[str, Any], body: Mapping[str, Any]) -> bytes:
    """The item in a record's body: a UTF-8 text, or the file that base64 stands for."""
    text = body["input"]
    return text.encode() if manifest["input"]["kind"] == "text" else base64.b64decode(text)


def read_items(folder: Path, shard: Path) -> list[bytes]:
    """What the records of a shard for the bundle in *folder* ask about."""
    manifest = read_manifest(folder)
    return [item_of(manifest, json.loads(line)["body"]) for line in shard.read_bytes().splitlines()]


class Chunks:
    """Deals the numbers below *total* to threads, *step* at a time."""

    def __init__(self, total: int, step: int) -> None:
        self._numbers = iter(range(0, total, step))
        self._total, self._step = total, step
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[slice]:
        while True:
            with self._lock:
                start = next(self._numbers, None)
            if start is None:
                return
            yield slice(start, min(start + self._step, self._total))
