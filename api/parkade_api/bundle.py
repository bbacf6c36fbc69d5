"""`bundle.json`: the manifest of a bundle; its sha256 is `spec.model.digest` and pins every other file."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SCHEMA: Final = "parkade.dev/bundle/v1alpha1"
MANIFEST_NAME = "bundle.json"
SIGNATURE_NAME: Final = "bundle.sig"
"""The publisher's signature over bundle.json and every file that it names; itself it is in no manifest."""
EMBEDDINGS: Final = "/v1/embeddings"
MOST_BYTES: Final = 4 << 30  # all files of a bundle together
MOST_SIGNATURE_BYTES: Final = 256 << 10
MOST_ROWS_PER_RUN: Final = 64

Precision = Literal["INT8", "FP32"]
Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]  # fmt: skip - as the Open Inference Protocol names them
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BundleFile(_Part):
    """One file of the bundle, beside `bundle.json`."""

    name: FileName
    size: int = Field(ge=0, description="Bytes.")
    sha256: Sha256


class TextInput(_Part):
    """Text, tokenized by the bundle's own tokenizer file."""

    kind: Literal["text"]
    tokenizer: FileName
    maxTokens: int = Field(ge=1, le=8192)  # noqa: N815 - the name in the file
    tensors: list[str] = Field(
        min_length=1, description="Names of ids, attention mask and, if used, type ids."
    )


class BytesInput(_Part):
    """The beginning and the end of a file's bytes as one row of int32 numbers."""

    kind: Literal["bytes"]
    tensor: str
    beginning: int = Field(ge=0, le=1 << 20, description="Bytes that are taken from the beginning.")
    end: int = Field(ge=0, le=1 << 20, description="Bytes that are taken from the end.")
    block: int = Field(ge=1, le=1 << 20, description="Bytes at either end in which white space is stripped.")
    padding: int = Field(
        ge=-1, le=1 << 16, description="The number that stands for a byte that is not there."
    )


class ImageInput(_Part):
    """A PNG or JPEG image, resized and normalized: (pixel / 255 - mean) / std for each channel."""

    kind: Literal["image"]
    tensor: str
    width: int = Field(ge=1, le=4096, description="Pixels.")
    height: int = Field(ge=1, le=4096, description="Pixels.")
    mode: Literal["L", "RGB"] = Field(description="L is one channel of grey.")
    layout: Literal["NCHW", "NHWC"]
    mean: list[float] = Field(min_length=1, max_length=3, description="One for each channel.")
    std: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, max_length=3, description="One for each channel."
    )


class TensorShape(_Part):
    """A tensor that a record holds as it is; -1 is a size that records choose."""

    name: str
    datatype: Datatype
    shape: list[Annotated[int, Field(ge=-1)]] = Field(max_length=8)


class TensorInput(_Part):
    """Tensors as they are, by name."""

    kind: Literal["tensor"]
    tensors: list[TensorShape] = Field(min_length=1, max_length=64)


Input = Annotated[TextInput | BytesInput | ImageInput | TensorInput, Field(discriminator="kind")]


class TensorOutput(_Part):
    """The output tensor and what is done to it."""

    tensor: str
    postprocess: Literal["none", "l2", "softmax"]
    labels: FileName | None = Field(
        default=None, description="A text file with one label a line, in the tensor's order."
    )
    top: int = Field(
        default=1, ge=1, le=1000, description="How many labels an answer names, the likeliest first."
    )


class Quality(_Part):
    """What a variant scored on held-out data when it was built, and float32 beside it."""

    metric: str = Field(description="Such as MRR@10 or accuracy.")
    value: float
    reference: float = Field(description="The same metric of the model in float32.")
    gate: float = Field(ge=0, le=1, description="Share of the reference that was asked for.")
    records: int = Field(ge=1, description="Held-out records that were scored.")


class Budget(_Part):
    """What the model took at most when it was built."""

    memoryBytes: int = Field(  # noqa: N815 - the name in the file
        ge=1, description="A vehicle that lends less refuses the bundle."
    )
    secondsPerRecord: float = Field(  # noqa: N815 - the name in the file
        gt=0, description="CPU seconds where it was built: information, checked by nobody."
    )


class Variant(_Part):
    """The model in one precision."""

    precision: Precision
    file: FileName
    requires: str = Field(
        description="CPU feature it was built for, such as x86-avx2: information, checked by nobody."
    )
    recipe: str = Field(description="How it was quantized.")
    quality: Quality | None = None
    speed: float | None = Field(
        default=None,
        gt=0,
        description="Runs of the graph a CPU second against float32's, one record a run, where it was built.",
    )


class BundleDescription(_Part):
    """What a model's publisher says of it: a manifest without files and variants, which a build adds."""

    schema_: Literal["parkade.dev/bundle/v1alpha1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")
    version: str = Field(min_length=1, max_length=63)
    license: str
    source: str = Field(description="Where the weights come from.")
    task: str = Field(
        pattern=r"^[a-z]{1,32}$", description="A vehicle refuses a bundle whose task it does not know."
    )
    endpoint: str = Field(
        default=EMBEDDINGS,
        pattern=r"^/v1/[a-z]{1,32}$",
        description="What `url` of a batch's records must be.",
    )
    input: Input
    output: TensorOutput | None = Field(default=None, description="None: every output of the graph as it is.")
    rowsPerRun: int = Field(  # noqa: N815 - the name in the file
        default=1,
        ge=1,
        le=MOST_ROWS_PER_RUN,
        description="More than 1 only when the build proved that it changes no byte.",
    )
    budget: Budget | None = None
    vectors: FileName | None = Field(
        default=None,
        description="Request bodies, one a line, whose answers name a vehicle's reproducibility class.",
    )

    def mentioned(self) -> Iterator[str]:
        """Every file that a field speaks of."""
        if isinstance(self.input, TextInput):
            yield self.input.tokenizer
        if self.output is not None and self.output.labels is not None:
            yield self.output.labels
        if self.vectors is not None:
            yield self.vectors


class BundleManifest(BundleDescription):
    """Everything that a vehicle needs to know of a model. Data only, nothing executable."""

    files: list[BundleFile] = Field(min_length=1, max_length=64)
    variants: list[Variant] = Field(min_length=1, max_length=8)

    def file(self, name: str) -> BundleFile:
        """The entry of the file called *name*. Raises KeyError when the bundle has none."""
        for entry in self.files:
            if entry.name == name:
                return entry
        raise KeyError(name)

    def variant(self, precision: str) -> Variant:
        """The first variant of that precision. Raises KeyError when the bundle has none."""
        for entry in self.variants:
            if entry.precision == precision:
                return entry
        raise KeyError(precision)

    @model_validator(mode="after")
    def _names_fit(self) -> "BundleManifest":
        names = [entry.name for entry in self.files]
        if len(set(names)) < len(names) or MANIFEST_NAME in names:
            raise ValueError(f"{MANIFEST_NAME} lists a file twice, or itself")
        if SIGNATURE_NAME in names:
            raise ValueError(f"{MANIFEST_NAME} lists {SIGNATURE_NAME}, which signs it")
        for name in (*self.mentioned(), *(variant.file for variant in self.variants)):
            if name not in names:
                raise ValueError(f"{MANIFEST_NAME} speaks of {name}, which is not among its files")
        return self

    @model_validator(mode="after")
    def _is_within_the_limit(self) -> "BundleManifest":
        total = sum(entry.size for entry in self.files)
        if total > MOST_BYTES:
            raise ValueError(f"the bundle has {total} bytes; at most {MOST_BYTES} are taken")
        return self


_Description = TypeVar("_Description", bound=BundleDescription)


def parse_manifest(raw: bytes, precision: Precision = "INT8") -> BundleManifest:
    """The manifest in *raw*, with a variant of that precision; vehicles run INT8. Raises ValueError, a sentence."""
    manifest = _parse(BundleManifest, raw, MANIFEST_NAME)
    if all(variant.precision != precision for variant in manifest.variants):
        raise ValueError(f"the bundle has no {precision} variant")
    return manifest


def parse_description(raw: bytes, name: str) -> BundleDescription:
    """The description in *raw*, the content of the file called *name*. Raises ValueError, a sentence."""
    return _parse(BundleDescription, raw, name)


def _parse(kind: type[_Description], raw: bytes, name: str) -> _Description:
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise ValueError(_sentence(error, name)) from None


def _sentence(error: ValidationError, name: str) -> str:
    """The first thing that is wrong with the file called *name*."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"{name}: {where}: {first['msg']}"
