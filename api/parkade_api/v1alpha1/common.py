"""Parts that both resources share: the base model, durations, URIs, conditions, label selectors.

Where a schema's own message would not say what is right, the rule is in CEL with a message that does.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

_DURATION_PART = re.compile(r"(\d+)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

_DURATION = "^([0-9]{1,6}(h|m|s))+$"
_LATENCY = "^[0-9]{1,6}(ms|s)$"
_LABEL_KEY = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
_LABEL_VALUE = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
_FILE_PATH = "^file:///([^/?#[:cntrl:]]+/)*[^/?#[:cntrl:]]*$"


def cel(*rules: str) -> dict[str, Any]:
    """Schema extra: CEL rules that the API server checks, each followed by the message that a user reads."""
    pairs = zip(rules[::2], rules[1::2], strict=True)
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def text(most: int, *rules: str) -> WithJsonSchema:
    """The schema of a string of at most *most* characters. CEL rules say the cure, which a pattern cannot."""
    return WithJsonSchema({"type": "string", "maxLength": most, **cel(*rules)})


def within(least: str, most: str) -> WithJsonSchema:
    """The schema of a duration within bounds."""
    return text(
        32,
        f"self.matches('{_DURATION}')",
        "write a duration in h, m and s, such as 90s, 10m or 1h30m",
        f"!self.matches('{_DURATION}') || "
        f"(duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))",
        f"must be from {least} to {most}",
    )


def swift(least: str, most: str) -> WithJsonSchema:
    """The schema of a short time within bounds."""
    return text(
        32,
        f"self.matches('{_LATENCY}')",
        "write a number of ms or s, such as 100ms or 1s",
        f"!self.matches('{_LATENCY}') || "
        f"(duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))",
        f"must be from {least} to {most}",
    )


def uri(*rules: str) -> WithJsonSchema:
    """The schema of a URI that the gateway may understand; *rules* as in `cel`."""
    return text(
        1024,
        "self.matches('^(file|s3|gs|az)://')",
        "a URI starts with file:///, s3://, gs:// or az://",
        f"!self.startsWith('file:') || (self.matches('{_FILE_PATH}') && !self.matches('/[.][.]?(/|$)'))",
        "a file URI is file:///path below the namespace's folder: no host, query, empty part, '.' or '..'",
        "!self.matches('^(s3|gs|az):') || self.matches('^[a-z0-9]+://[a-z0-9][a-z0-9._-]+(/|$)')",
        "a URI of an object store names its bucket, as in s3://bucket/path",
        *rules,
    )


Duration = Annotated[str, Field(pattern=_DURATION, max_length=32), within("0s", "24h")]
Latency = Annotated[str, Field(pattern=_LATENCY, max_length=32)]
Percent = Annotated[int, Field(ge=0, le=100)]
Digest = Annotated[
    str,
    Field(pattern=r"^sha256:[0-9a-f]{64}$"),
    text(
        128,
        "self.matches('^sha256:[0-9a-f]{64}$')",
        "a digest is sha256:<64 hex digits>; `sha256sum FILE` prints them",
    ),
]
_Uri = Annotated[str, Field(pattern=r"^(file|s3|gs|az)://.+$", max_length=1024)]
FolderUri = Annotated[_Uri, uri()]
FileUri = Annotated[
    _Uri,
    uri("self.matches('^[a-z0-9]+://[^/]*/.*[^/]$')", "the URI of a file does not end with a slash"),
]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
LabelKey = Annotated[
    str,
    text(317, f"self.matches('{_LABEL_KEY}')", "a label key is name or prefix/name, as Kubernetes has it"),
]
LabelValue = Annotated[
    str,
    text(
        63,
        f"self.matches('{_LABEL_VALUE}')",
        "a label value is letters, digits, '-', '_' and '.', at most 63",
    ),
]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


def seconds(duration: str) -> float:
    """The seconds of a duration such as `90s`, `1h30m` or `250ms`. Raises ValueError for anything else."""
    parts = _DURATION_PART.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise ValueError(f"{duration!r} is not a duration such as 90s, 10m or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


class Model(BaseModel):
    """Base of all parts: camelCase in the API, immutable in Python, unknown fields ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class Condition(Model):
    """metav1.Condition."""

    type: str = Field(description="Type of the condition, in CamelCase.", max_length=316)
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: str = Field(description="Why, as one CamelCase word.", max_length=1024)
    message: str = Field(description="Why, as a sentence with the number that decided.", max_length=32768)
    last_transition_time: Time = Field(description="When status last changed.")
    observed_generation: int | None = Field(default=None, description="Generation that it speaks of.")


class LabelRequirement(Model):
    """One expression of a label selector."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values, Exists and DoesNotExist take none",
        )
    )

    key: LabelKey = Field(description="Label key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How values are compared.")
    values: list[LabelValue] | None = Field(
        default=None, description="Values for In and NotIn.", max_length=64
    )


class LabelSelector(Model):
    """metav1.LabelSelector."""

    match_labels: dict[str, LabelValue] | None = Field(
        default=None,
        description="Labels that must have exactly these values.",
        max_length=32,
        json_schema_extra=cel(
            f"self.all(key, key.matches('{_LABEL_KEY}'))",
            "a label key is name or prefix/name, as Kubernetes has it",
        ),
    )
    match_expressions: list[LabelRequirement] | None = Field(
        default=None, description="Expressions that must all hold.", max_length=32
    )


class ObjectMeta(Model):
    """The part of metav1.ObjectMeta that Parkade reads."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
