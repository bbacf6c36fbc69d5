"""A PNG or JPEG image as one row: decoded, resized, normalized.

Grey, palette and RGB images are taken and converted to the manifest's mode; transparency is dropped. Resizing is
Pillow's bilinear filter, which averages where an image shrinks; it and the decoders compute in integers, so every
CPU gives the same pixels. Of an animation the first image counts; an orientation in EXIF is not applied.
"""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from parkade_api.bundle import ImageInput
from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.session import TensorSpec

MOST_PIXELS: Final = 1 << 25
"""A small file can be a huge image: one of this size takes 100 MB as RGB."""

_SCAN: Final = b"\xff\xda"
_MOST_SCANS: Final = 100  # a progressive JPEG has about ten; each costs a pass over all pixels
_OUT_OF_MEMORY: Final = "out of memory"  # so says the OSError of a decoder
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is laxer, and at first only a warning
_FORMATS: Final = ("PNG", "JPEG")
_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")
_CHANNELS: Final = {"L": 1, "RGB": 3}
_LEVELS: Final = 256


class ImageReader:
    """Reads images. Raises BundleError when mean and std are not one number for each channel."""

    def __init__(self, described: ImageInput) -> None:
        channels = _CHANNELS[described.mode]
        if not len(described.mean) == len(described.std) == channels:
            lengths = f"mean has {len(described.mean)} numbers and std {len(described.std)}"
            raise BundleError(f"{lengths}; mode {described.mode} needs {channels}")
        self._described = described
        self._values = _values(described)
        area = (described.height, described.width)
        shape = (1, channels, *area) if described.layout == "NCHW" else (1, *area, channels)
        self.spec = TensorSpec(described.tensor, "FP32", shape)

    def row(self, content: bytes) -> NDArray[Any]:
        """The row of an image file. Raises BadRecordError when it is none, or too large; MemoryError."""
        described = self._described
        size = (described.width, described.height)
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                _check(image, content)
                # Pillow warns when a palette with transparency is converted to anything else.
                plain = image.convert("RGBA") if image.has_transparency_data else image
                pixels = np.asarray(plain.convert(described.mode).resize(size, Image.Resampling.BILINEAR))
        except (BadRecordError, MemoryError):
            raise
        except Exception as error:  # Pillow's decoders raise half a dozen kinds that share no base class
            if _OUT_OF_MEMORY in str(error):
                raise MemoryError(str(error)) from None
            message = "The input cannot be decoded as a PNG or JPEG image."
            raise BadRecordError(RecordError.BAD_REQUEST, message) from error
        return self._normalized(pixels.reshape(described.height, described.width, -1))

    def _normalized(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        channels = [values[pixels[:, :, index]] for index, values in enumerate(self._values)]
        axis = 0 if self._described.layout == "NCHW" else -1
        return np.stack(channels, axis)[np.newaxis]


def _values(described: ImageInput) -> NDArray[np.float32]:
    """What each of the 256 levels becomes in each channel: computed in float64, rounded once."""
    levels = np.arange(_LEVELS, dtype=np.float64) / (_LEVELS - 1)
    rows = [(levels - mean) / std for mean, std in zip(described.mean, described.std, strict=True)]
    return np.array(rows, np.float32)


def _check(image: Image.Image, content: bytes) -> None:
    """Looks at what the file says of itself, before any pixel is decoded."""
    if image.width * image.height > MOST_PIXELS:
        size = f"{image.width} x {image.height} pixels"
        message = f"The image has {size}; at most {MOST_PIXELS} pixels are decoded."
        raise BadRecordError(RecordError.BAD_REQUEST, message)
    if image.mode not in _MODES:
        message = f"The image has mode {image.mode}; it must be grey, palette or RGB with 8 bits a channel."
        raise BadRecordError(RecordError.BAD_REQUEST, message)
    # Pillow calls a JPEG that has further images an MPO.
    if image.format != "PNG" and content.count(_SCAN) > _MOST_SCANS:
        message = f"The image has {content.count(_SCAN)} scans; at most {_MOST_SCANS} are decoded."
        raise BadRecordError(RecordError.BAD_REQUEST, message)
