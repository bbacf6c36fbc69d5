"""`bundle.json`: the manifest of a bundle; its sha256 is `spec.model.digest` and pins every other file."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SCHEMA: Final = "parkade.dev/bundle/v1alpha1"
MANIFEST_NAME = "bundle.json"
MOST_BYTES: Final = 4 << 30  # all files of a bundle together

Precision = Literal["INT8", "FP32"]
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


class TensorOutput(_Part):
    """The output tensor and what is done to it."""

    tensor: str
    postprocess: Literal["none", "l2"]


class Variant(_Part):
    """The model in one precision."""

    precision: Precision
    file: FileName
    requires: str = Field(description="CPU feature, such as x86-avx2.")
    recipe: str = Field(description="How it was quantized.")


class BundleManifest(_Part):
    """Everything that a vehicle needs to know of a model. Data only, nothing executable."""

    schema_: Literal["parkade.dev/bundle/v1alpha1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")
    version: str = Field(min_length=1, max_length=63)
    license: str
    source: str = Field(description="Where the weights come from.")
    task: Literal["embedding"]
    input: TextInput
    output: TensorOutput
    rowsPerRun: Literal[1] = 1  # noqa: N815 - the name in the file
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
        for name in (self.input.tokenizer, *(variant.file for variant in self.variants)):
            if name not in names:
                raise ValueError(f"{MANIFEST_NAME} speaks of {name}, which is not among its files")
        return self

    @model_validator(mode="after")
    def _is_within_the_limit(self) -> "BundleManifest":
        total = sum(entry.size for entry in self.files)
        if total > MOST_BYTES:
            raise ValueError(f"the bundle has {total} bytes; at most {MOST_BYTES} are taken")
        return self


def parse_manifest(raw: bytes, precision: Precision = "INT8") -> BundleManifest:
    """The manifest in *raw*, with a variant of that precision; vehicles run INT8. Raises ValueError, a sentence."""
    try:
        manifest = BundleManifest.model_validate_json(raw)
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None
    if all(variant.precision != precision for variant in manifest.variants):
        raise ValueError(f"the bundle has no {precision} variant")
    return manifest


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong with a manifest."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"{MANIFEST_NAME}: {where}: {first['msg']}"
