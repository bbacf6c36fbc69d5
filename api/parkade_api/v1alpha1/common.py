"""Parts that both resources share: the base model, durations, percentages, conditions, label selectors."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_DURATION_PART = re.compile(r"(\d+)(h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}

Duration = Annotated[
    str,
    Field(pattern=r"^([0-9]{1,6}(h|m|s))+$", max_length=32, examples=["90s", "10m", "1h30m"]),
]
Percent = Annotated[int, Field(ge=0, le=100)]
Celsius = Annotated[int, Field(ge=-40, le=150)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Uri = Annotated[str, Field(pattern=r"^(file|s3|gs|az)://.+$", max_length=1024)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


def seconds(duration: str) -> float:
    """The seconds of a duration such as `90s` or `1h30m`. Raises ValueError for anything else."""
    parts = _DURATION_PART.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration or not parts:
        raise ValueError(f"{duration!r} is not a duration such as 90s, 10m or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def cel(rule: str, message: str) -> dict[str, Any]:
    """Schema extra: a CEL rule that the API server checks, with the message that a user reads."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message}]}


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

    key: str = Field(description="Label key.", max_length=317)
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How values are compared.")
    values: list[Annotated[str, Field(max_length=63)]] | None = Field(
        default=None, description="Values for In and NotIn.", max_length=64
    )


class LabelSelector(Model):
    """metav1.LabelSelector."""

    match_labels: dict[str, Annotated[str, Field(max_length=63)]] | None = Field(
        default=None, description="Labels that must have exactly these values."
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
