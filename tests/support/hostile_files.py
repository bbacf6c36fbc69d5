"""Files that are no ONNX model, not a whole one, or more than one."""

import gzip
import pickle
from pathlib import Path
from typing import Final

import numpy as np
from onnx import helper

from support.hostile import Hostile, good, hostile, model, weights

FILES: Final[list[Hostile]] = []


@hostile("no protobuf message", FILES)
def _no_protobuf(_: Path) -> bytes:
    return np.random.default_rng(1).bytes(5000)


@hostile("opsets|no nodes|IR version 0", FILES)
def _empty(_: Path) -> bytes:
    return b""


@hostile("no protobuf message", FILES)
def _truncated(_: Path) -> bytes:
    return bytes(good().SerializeToString())[:-7]


@hostile("no protobuf message|an ONNX model of its content has", FILES)
def _gzipped(_: Path) -> bytes:
    return gzip.compress(bytes(good().SerializeToString()), mtime=0)


@hostile("no protobuf message|an ONNX model of its content has", FILES)
def _pickled(_: Path) -> bytes:
    return pickle.dumps(print)


@hostile("no protobuf message", FILES)
def _length_of_gigabytes(_: Path) -> bytes:
    return b"\x3a\xff\xff\xff\xff\x07" + bytes(100)


@hostile("no protobuf message", FILES)
def _messages_without_end(_: Path) -> bytes:
    # graph -> node -> attribute -> graph...: each level names the length of the rest.
    raw = b""
    for _level in range(5000):
        for field in (b"\x32", b"\x2a", b"\x0a"):
            raw = field + _varint(len(raw)) + raw
    return b"\x3a" + _varint(len(raw)) + raw


@hostile("an ONNX model of its content has", FILES)
def _fields_that_nobody_reads(_: Path) -> bytes:
    return bytes(good().SerializeToString()) + b"\xfa\x07\x04evil"


def mutations(count: int) -> list[Hostile]:
    """A good INT8 model with a few bytes of it changed, the same ones every time."""
    return [Hostile(f"mutation-{seed}", "", lambda _, seed=seed: _mutated(seed)) for seed in range(count)]


def _mutated(seed: int) -> bytes:
    random = np.random.default_rng(seed)
    raw = np.frombuffer(_quantized(), np.uint8).copy()
    at = random.integers(0, raw.size, 1 + seed % 4)
    raw[at] ^= random.integers(1, 256, at.size, np.uint8)
    return raw.tobytes()


def _quantized() -> bytes:
    """The good model in INT8, quantized as it runs."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["f"]),
        helper.make_node("Add", ["f", "w"], ["y"]),
    ]
    return bytes(model(nodes, weights()).SerializeToString())


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
