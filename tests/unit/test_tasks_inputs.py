"""Bytes of a record become one row of a graph's input, or the record is refused with a sentence."""

import base64
import io
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from parkade_api.bundle import BytesInput, ImageInput, TextInput
from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.tasks.inputs import open_reader
from parkade_models.tasks.inputs.body import content_of
from parkade_models.tasks.inputs.bytes_input import BytesReader
from parkade_models.tasks.inputs.image_input import ImageReader

PAD = 256
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"input": "aGk="}, b"hi"),
        ({"input": ""}, b""),
        ({"input": "data:image/png;base64,aGk="}, b"hi"),
        ({"input": "data:;base64,aGk="}, b"hi"),
    ],
)
def test_content_is_base64_or_a_data_url(body: dict[str, Any], content: bytes) -> None:
    """A data: URL is taken apart; its media type is not looked at."""
    assert content_of(body, "a file") == content


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "body.input is null; it must be one string, a file in base64"),
        ({"input": 7}, "body.input is a number"),
        ({"input": ["aGk="]}, "body.input is a list of 1"),
        ({"input": "no base64!"}, "body.input is not base64"),
        ({"input": "aGk"}, "padded"),
        ({"input": "aGk=aGk="}, "not base64"),
        ({"input": "aG\nk="}, "without line breaks"),
        ({"input": "é漢"}, "not base64"),
        ({"input": "data:text/plain,hi"}, "without ;base64"),
        ({"input": "data:text/plain;base64"}, "without ;base64"),
    ],
)
def test_what_is_no_base64_is_refused(body: dict[str, Any], words: str) -> None:
    """The sentence says what stands there and what must."""
    with pytest.raises(BadRecordError, match=words) as caught:
        content_of(body, "a file")
    assert caught.value.code is RecordError.BAD_REQUEST


@given(st.binary(max_size=300))
def test_any_bytes_come_through(content: bytes) -> None:
    """What was encoded is what is read."""
    assert content_of({"input": base64.b64encode(content).decode()}, "a file") == content


def bytes_reader(beginning: int = 4, end: int = 3, block: int = 6) -> BytesReader:
    """A reader of short rows."""
    described = BytesInput(kind="bytes", tensor="x", beginning=beginning, end=end, block=block, padding=PAD)
    return BytesReader(described)


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b"abcdefgh", [*b"abcd", *b"fgh"]),
        (b"ab", [*b"ab", PAD, PAD, PAD, *b"ab"]),
        (b"  ab\n\n", [*b"ab\n\n", *b" ab"]),
        (b" \t\n\x0b\x0c\rxyz123", [PAD, PAD, PAD, PAD, *b"123"]),  # the first block is white space alone
        (b"abcdefgh \t\n\x0b\x0c\r", [*b"abcd", PAD, PAD, PAD]),
        (b"    ", [PAD] * 7),
        (b"\x00\xff" * 50, [0, 255, 0, 255, 255, 0, 255]),
    ],
)
def test_both_ends_are_stripped_padded_and_joined(content: bytes, row: list[int]) -> None:
    """White space goes from the outer side of either block; padding lies on the inner side of what is left."""
    found = bytes_reader().row(content)
    assert (found.dtype, found.shape) == (np.int32, (1, 7))
    assert found[0].tolist() == row


def test_an_end_may_be_left_out() -> None:
    """A row may be made of the beginning alone, or of the end alone."""
    assert bytes_reader(end=0).row(b"abcdef")[0].tolist() == [*b"abcd"]
    assert bytes_reader(beginning=0).row(b"abcdef")[0].tolist() == [*b"def"]


def test_nothing_is_no_file() -> None:
    """A file without a byte is refused."""
    with pytest.raises(BadRecordError, match="give at least one"):
        bytes_reader().row(b"")


def image_input(**fields: Any) -> ImageInput:
    """Two by two pixels of RGB, not normalized."""
    plain: dict[str, Any] = {"kind": "image", "tensor": "x", "width": 2, "height": 2, "mode": "RGB"}
    return ImageInput(**plain | {"layout": "NCHW", "mean": [0.0] * 3, "std": [1.0] * 3} | fields)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", MODES)
def test_every_ordinary_mode_is_taken(mode: str) -> None:
    """A white image is white whatever its mode, in grey and in RGB."""
    white = Image.new("RGBA", (5, 3), (255, 255, 255, 255)).convert(mode)
    for wanted, channels in (("L", 1), ("RGB", 3)):
        values = {"mean": [0.0] * channels, "std": [1.0] * channels}
        row = ImageReader(image_input(mode=wanted, **values)).row(encoded(white))
        assert (row.dtype, row.shape) == (np.float32, (1, channels, 2, 2))
        assert (row == 1.0).all()


@pytest.mark.parametrize(("layout", "place"), [("NCHW", (0, 2, 1, 0)), ("NHWC", (0, 1, 0, 2))])
def test_channels_are_normalized_in_their_layout(layout: str, place: tuple[int, ...]) -> None:
    """A channel's value is (pixel / 255 - mean) / std, and stands where the layout says."""
    image = Image.new("RGB", (2, 2))
    image.putpixel((0, 1), (0, 0, 51))
    described = image_input(layout=layout, mean=[0.1, 0.2, 0.3], std=[0.5, 0.5, 0.25])
    row = ImageReader(described).row(encoded(image))
    assert row[place] == np.float32((0.2 - 0.3) / 0.25)
    assert ImageReader(described).spec.shape == row.shape


def test_shrinking_averages() -> None:
    """Black and white squares shrink to grey: no pixel is dropped."""
    squares = np.kron([[0, 255] * 8, [255, 0] * 8] * 8, np.ones((2, 2))).astype(np.uint8)
    row = ImageReader(image_input(mode="L", mean=[0.0], std=[1.0])).row(encoded(Image.fromarray(squares)))
    assert np.abs(row - 0.5).max() < 0.02


def test_jpeg_is_taken() -> None:
    """A JPEG image has nearly the pixels that it had before."""
    row = ImageReader(image_input()).row(encoded(Image.new("RGB", (16, 16), (255, 0, 0)), "JPEG"))
    assert row[0, :, 0, 0].tolist() == pytest.approx([1.0, 0.0, 0.0], abs=0.02)


def png_of(width: int, height: int) -> bytes:
    """A PNG file that says it has that size, and has no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
SCANS = b"\xff\xda\x00\x0c\x03\x01\x00" * 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be decoded"),
        (b"a letter", "cannot be decoded"),
        (encoded(NOISE)[:2000], "cannot be decoded"),
        (encoded(NOISE, "JPEG")[:500], "cannot be decoded"),
        (encoded(NOISE, "GIF"), "as a PNG or JPEG"),
        (encoded(NOISE, "BMP"), "as a PNG or JPEG"),
        (encoded(NOISE, "TIFF"), "as a PNG or JPEG"),
        (encoded(Image.new("I;16", (4, 4))), "mode I;16; it must be grey, palette or RGB"),
        (encoded(Image.new("CMYK", (4, 4)), "JPEG"), "mode CMYK"),
        (png_of(8000, 8000), "has 8000 x 8000 pixels; at most 33554432"),
        (png_of(100_000, 100_000), "has 100000 x 100000 pixels"),
        (png_of(4, 4), "cannot be decoded"),
        (encoded(NOISE, "JPEG")[:-2] + SCANS, "has 201 scans; at most 100"),
        (encoded(NOISE, "MPO", save_all=True, append_images=[NOISE]) + SCANS, "scans; at most 100"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_image_is_refused(content: bytes, words: str) -> None:
    """Other formats, broken files, huge images and deep pixels each have a sentence, before they cost memory."""
    with pytest.raises(BadRecordError, match=words) as caught:
        ImageReader(image_input()).row(content)
    assert caught.value.code is RecordError.BAD_REQUEST


_READ_UNDER_A_LIMIT = """
import resource, sys
from parkade_api.bundle import ImageInput
from parkade_models.tasks.inputs.image_input import ImageReader
reader = ImageReader(ImageInput.model_validate_json(sys.argv[1]))
content = sys.stdin.buffer.read()
used = next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]
resource.setrlimit(resource.RLIMIT_DATA, (int(used) * 1024 + (16 << 20),) * 2)
try:
    reader.row(content)
except MemoryError:
    sys.exit(7)
"""


def test_too_little_memory_is_no_fault_of_an_image() -> None:
    """A good image that a small vehicle cannot hold raises MemoryError: it gets no error line."""
    content = encoded(Image.new("RGB", (4000, 4000)))
    command = [sys.executable, "-c", _READ_UNDER_A_LIMIT, image_input().model_dump_json()]
    assert subprocess.run(command, input=content, check=False, timeout=60).returncode == 7


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_broken_byte_is_a_bad_record_at_most(place: int, value: int) -> None:
    """A PNG with one other byte is read or refused, and nothing else."""
    content = bytearray(encoded(NOISE))
    content[place] = value
    try:
        row = ImageReader(image_input()).row(bytes(content))
    except BadRecordError as error:
        assert error.code is RecordError.BAD_REQUEST  # noqa: PT017 - either outcome is right
    else:
        assert row.shape == (1, 3, 2, 2)


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (image_input(mode="L"), "mean has 3 numbers and std 3; mode L needs 1"),
        (image_input(std=[1.0]), "std 1; mode RGB needs 3"),
        (
            TextInput(kind="text", tokenizer="t", maxTokens=1, tensors=["x"]),
            "kind text; this task needs bytes",
        ),
    ],
)
def test_a_description_that_fits_no_reader_is_refused(described: Any, words: str) -> None:
    """A manifest whose numbers contradict its mode, or whose records are not bytes, is refused."""
    with pytest.raises(BundleError, match=words):
        open_reader(described)
