"""`bundle.json`: the manifest of a bundle; its sha256 is `spec.model.digest` and pins every other file."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = "parkade.dev/bundle/v1alpha1"
MANIFEST_NAME = "bundle.json"

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

    precision: Literal["INT8", "FP32"]
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
        """The variant of that precision. Raises KeyError when the bundle has none."""
        for entry in self.variants:
            if entry.precision == precision:
                return entry
        raise KeyError(precision)
