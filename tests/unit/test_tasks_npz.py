"""Archives of arrays: read where they are what the model takes, refused with a sentence before they cost memory."""

import io
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError
from parkade_models.session import TensorSpec
from parkade_models.tasks.npz import MOST_UNPACKED_BYTES, read_npz, write_npz

SPECS = (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("s", "BYTES", (1,)))
GOOD = {"x": np.ones((1, 2), np.float32), "s": np.array(["a"])}


def npz(**arrays: Any) -> bytes:
    """An .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def zipped(entries: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive with those entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    """A .npy file with that header."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


def header(descr: str = "<f4", shape: str = "(1, 2)") -> str:
    """A header as NumPy writes it."""
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"


def placed_at(content: bytes, offset: int) -> bytes:
    """The archive of one entry, whose directory says that it begins at *offset*, in 64 bits."""
    start, end = content.rindex(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    entry, last = bytearray(content[start:end]), bytearray(content[end:])
    extra = struct.pack("<HHQ", 1, 8, offset)
    struct.pack_into("<H", entry, 30, len(extra))
    struct.pack_into("<I", entry, 42, 0xFFFFFFFF)
    struct.pack_into("<I", last, 12, len(entry) + len(extra))
    return bytes(content[:start] + entry + extra + last)


S = npy(header("<U1", "(1,)"), b"a\0\0\0")
BOMB = npy(header(shape="(100000000, 2)"), bytes(50_000_000))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be unpacked as .npz"),
        (b"PK\x03\x04 no archive", "cannot be unpacked"),
        (npz(**GOOD)[:-30], "cannot be unpacked"),
        (npz(x=GOOD["x"]), r"holds the files \['x.npy'\]; .* must be \['s.npy', 'x.npy'\]"),
        (npz(**GOOD, y=1), r"holds the files \['s.npy', 'x.npy', 'y.npy'\]"),
        (npz(**GOOD | {"x": np.ones((1, 2))}), "Tensor x has type <f8; FP32 is <f4"),
        (npz(**GOOD | {"x": np.ones((1, 2), ">f4")}), "Tensor x has type >f4"),
        (npz(**GOOD | {"s": np.ones(1, np.float32)}), "Tensor s has type <f4; BYTES is U or S"),
        (
            npz(**GOOD | {"x": np.ones((1, 3), np.float32)}),
            r"Tensor x has shape \[1, 3\]; it must be \[-1, 2\]",
        ),
        (npz(**GOOD | {"x": np.float32(1)}), r"Tensor x has shape \[\]"),
        (npz(**GOOD | {"s": np.array(["a", "b"])}), r"Tensor s has shape \[2\]; it must be \[1\]"),
        (npz(**GOOD | {"s": np.array([b"\xff"])}), "Tensor s holds text that is not Unicode"),
        (npz(**GOOD | {"s": np.array([{}], object)}), "Tensor s has no header|Tensor s has type"),
        (zipped({"s": S, "x.npy": npy(header(), bytes(8))}), r"holds the files \['s', 'x.npy'\]"),
        (zipped({"s.npy": S, "x.npy": b"poem"}), "Tensor x is not a .npy array"),
        (zipped({"s.npy": S, "x.npy": npy("{'shape': 1}")}), "no header as numpy.savez writes it"),
        (zipped({"s.npy": S, "x.npy": npy(header("<f4" + "0" * 9))}), "no header"),
        (zipped({"s.npy": S, "x.npy": npy(header(shape="(-1, 2)"))}), "no header"),
        (zipped({"s.npy": S, "x.npy": npy(header(), b"short")}), "has not the 8 bytes"),
        (zipped({"s.npy": S, "x.npy": npy(header(), bytes(9))}), "has not the 8 bytes"),
        (
            zipped({"s.npy": S, "x.npy": npy(header(shape="(999999999999999999, 2)"))}),
            "takes 7999999999999999992",
        ),
        (zipped({"s.npy": S, "x.npy": BOMB}), f"takes 800000000 bytes; .* of {MOST_UNPACKED_BYTES}"),
        (zipped({"s.npy": npy(header("<U0", "(1,)")), "x.npy": npy(header(), bytes(8))}), "type <U0"),
        (
            zipped({"s.npy": S, "x.npy": npy(header(), bytes(8))}, zipfile.ZIP_LZMA),
            "numpy.savez does not use",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_array_of_the_model_is_refused(content: bytes, words: str) -> None:
    """The sentence names the tensor, what it is and what it must be; sizes are told before a byte is unpacked."""
    with pytest.raises(BadRecordError, match=words) as caught:
        read_npz(content, SPECS)
    assert caught.value.code is RecordError.BAD_REQUEST


def test_a_good_archive_is_read() -> None:
    """The archive that the refused ones are variants of is read."""
    found = read_npz(npz(**GOOD), SPECS)
    assert found["x"].tolist() == [[1.0, 1.0]]
    assert found["s"].tolist() == ["a"]
    assert read_npz(write_npz(found), SPECS)["s"].tolist() == ["a"]


@settings(max_examples=300)
@given(st.integers(0, 500), st.integers(0, 255), st.binary(max_size=3))
def test_a_broken_archive_is_a_bad_record_at_most(place: int, value: int, more: bytes) -> None:
    """An archive with other bytes is read or refused, and nothing else."""
    content = bytearray(npz(**GOOD))
    content[place % len(content)] = value
    try:
        found = read_npz(bytes(content) + more, SPECS)
    except BadRecordError as error:
        assert error.code is RecordError.BAD_REQUEST  # noqa: PT017 - either outcome is right
    else:
        assert found.keys() == GOOD.keys()


@pytest.mark.parametrize("offset", [1 << 40, 1 << 63, (1 << 64) - 1])
def test_an_entry_beyond_all_files_is_refused(offset: int) -> None:
    """No place that an archive can name is more than a bad record."""
    content = placed_at(npz(x=GOOD["x"]), offset)
    with pytest.raises(BadRecordError, match="cannot be unpacked"):
        read_npz(content, SPECS[:1])


def test_a_refusal_is_short() -> None:
    """Names of a thousand files are not all told."""
    content = zipped({f"{number}{'x' * 1000}": b"" for number in range(1000)})
    with pytest.raises(BadRecordError, match=r"holds the files \[.*\.\.\.\]; for this model") as caught:
        read_npz(content, SPECS)
    assert len(caught.value.message) < 500
