"""The CRDs: what Kubernetes calls structural, and every field described."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, Field, create_model

from parkade_api.crdgen import RESOURCES, render, structural
from parkade_api.v1alpha1.common import cel

Object = dict[str, Any]
_REFUSED = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "title", "const", "examples"}


class Part(BaseModel):
    """A part with a rule of its own."""

    model_config = {"json_schema_extra": cel("has(self.size)", "size is needed")}

    size: int = Field(default=1, gt=0, lt=10)


class Whole(BaseModel):
    """One field for every rewriting."""

    kind: Literal["One"] = "One"
    colour: Literal["red", "blue"]
    part: Part = Field(json_schema_extra=cel("self == oldSelf", "part is immutable"))
    plain: Part
    maybe: Part | None = Field(default=None, description="perhaps a part")
    ratio: float | None = Field(default=None, ge=0, lt=1)
    parts: list[Part]
    labels: dict[str, Annotated[str, Field(max_length=63)]]
    title: str = Field(default="", examples=["a"])


def properties() -> Object:
    """The converted properties of Whole."""
    found: Object = structural(Whole.model_json_schema())["properties"]
    return found


def nodes(schema: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    """Every node of a schema with its path."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(part := schema.get(key), dict):
            yield from nodes(part, f"{path}.{key}")


def generated() -> list[tuple[str, Object]]:
    """Every node of both generated CRDs."""
    schemas = [
        yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for text in render().values()
    ]
    return [item for schema in schemas for item in nodes(schema)]


def rules(node: Object) -> list[str]:
    """The CEL rules of a node."""
    return [rule["rule"] for rule in node.get("x-kubernetes-validations", [])]


def test_a_constant_is_an_enum_of_one() -> None:
    """Kubernetes has no const; a choice of several stays what it is."""
    assert properties()["kind"] == {"type": "string", "enum": ["One"], "default": "One"}
    assert properties()["colour"]["enum"] == ["red", "blue"]


def test_exclusive_bounds_are_a_bound_and_a_flag() -> None:
    """OpenAPI v3.0 has booleans where JSON schema has numbers."""
    size = properties()["plain"]["properties"]["size"]
    assert (size["minimum"], size["exclusiveMinimum"]) == (0, True)
    assert (size["maximum"], size["exclusiveMaximum"]) == (10, True)


def test_an_optional_is_its_type() -> None:
    """Absence is how Kubernetes says None: neither null nor a default is left."""
    ratio = properties()["ratio"]
    assert ratio == {"type": "number", "minimum": 0, "maximum": 1, "exclusiveMaximum": True}
    maybe = properties()["maybe"]
    assert (maybe["type"], maybe["description"], "default" in maybe) == ("object", "perhaps a part", False)


def test_rules_of_a_type_and_of_a_field_are_joined() -> None:
    """A reference is replaced by what it names; both its own rules and those beside it stay."""
    assert rules(properties()["part"]) == ["has(self.size)", "self == oldSelf"]
    assert rules(properties()["plain"]) == rules(properties()["maybe"]) == ["has(self.size)"]
    assert rules(properties()["parts"]["items"]) == ["has(self.size)"]


def test_a_property_may_be_called_like_a_keyword() -> None:
    """Keywords are dropped from schemas, not from the names of fields."""
    assert properties()["title"] == {"type": "string", "default": ""}


def test_maps_keep_the_schema_of_their_values() -> None:
    """Only a schema is kept; `additionalProperties: false` may not stand beside properties."""
    assert properties()["labels"] == {
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 63},
    }
    closed = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    assert structural(closed) == {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [(int | str, "several types"), (int | str | None, "several types"), (Any, "no type")],
)
def test_what_has_no_one_type_is_refused(annotation: Any, sentence: str) -> None:
    """Kubernetes would refuse it, too, but only when it is installed."""
    loose = create_model("Loose", field=(annotation, ...))
    with pytest.raises(ValueError, match=sentence):
        structural(loose.model_json_schema())


def test_the_crds_are_structural() -> None:
    """Every node has a type and nothing that Kubernetes refuses."""
    for path, node in generated():
        assert "type" in node, path
        assert not _REFUSED & set(node), path


def test_every_field_is_described() -> None:
    """`kubectl explain` has a sentence for each field but metadata, which is Kubernetes' own."""
    silent = [
        f"{path}.{name}"
        for path, node in generated()
        for name, part in node.get("properties", {}).items()
        if (path, name) != ("", "metadata") and not part.get("description")
    ]
    assert not silent


def test_no_type_passes_an_internal_description() -> None:
    """A field's own sentence wins over that of its type."""
    spec = dict(generated())[".spec"]
    assert spec["properties"]["input"]["description"] == "What to run the model on."


def test_print_columns_name_fields_that_exist() -> None:
    """A column of a misspelt path would be empty for ever."""
    for model, *_, columns in RESOURCES:
        known = {path for path, _ in nodes(structural(model.model_json_schema()))}
        for name, _, path, _ in columns:
            field = path.partition("[")[0]
            assert field in known or field.startswith(".metadata."), name
