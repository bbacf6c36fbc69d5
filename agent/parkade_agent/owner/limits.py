"""The owner's hard caps: `limits.json`, in words that an owner can write. A file that says nonsense stops all work."""

import difflib
from typing import Annotated, Final, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from parkade_agent.errors import AgentError
from parkade_core.shown import shown
from parkade_core.vehicle.consent import PLACES
from parkade_core.vehicle.hours import BadHours, hours_of
from parkade_core.vehicle.limits import OwnerLimits

MOST_BYTES: Final = 64 * 1024
_SHOWN: Final = 64


class BadLimits(AgentError):
    """The file sets no limits that can be kept; the message names the field and what would be right."""


def _hours(text: str) -> str:
    try:
        hours_of(text)
    except BadHours as error:
        raise ValueError(str(error)) from None
    return text


def _place(name: str) -> str:
    if name not in PLACES:
        raise ValueError(f"{shown(name, _SHOWN)!r} is no place: write {', '.join(sorted(PLACES))}")
    return name


Percent = Annotated[float, Field(ge=0, le=100)]
Celsius = Annotated[float, Field(ge=-60, le=150)]
Positive = Annotated[float, Field(gt=0)]


class LimitsFile(BaseModel):
    """The fields of `limits.json`; all are optional, and what is left out limits nothing."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, allow_inf_nan=False
    )

    min_state_of_charge_percent: Percent | None = None
    max_compute_celsius: Celsius | None = None
    max_battery_celsius: Celsius | None = None
    min_battery_celsius: Celsius | None = None
    max_energy_wh_per_day: Annotated[float, Field(ge=0)] | None = None
    max_power_watts: Positive | None = None
    max_lanes: Annotated[int, Field(ge=1, le=64)] | None = None
    hours: list[Annotated[str, AfterValidator(_hours)]] = Field(default=[], max_length=32)
    places: list[Annotated[str, AfterValidator(_place)]] = Field(default=[], max_length=32)
    allow_metered_link: bool = False
    allow_missing_sandbox_layers: list[str] = Field(default=[], max_length=32)

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        low, high = self.min_battery_celsius, self.max_battery_celsius
        if low is not None and high is not None and low >= high:
            raise ValueError(f"minBatteryCelsius {low:g} must be below maxBatteryCelsius {high:g}")
        return self


def read_limits(data: bytes) -> OwnerLimits:
    """The limits in the bytes of the file. Raises BadLimits."""
    if len(data) > MOST_BYTES:
        raise BadLimits(f"it has {len(data)} bytes, more than {MOST_BYTES}")
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadLimits(f"line {error.lineno}: it is no JSON: {error.msg}") from None
    try:
        return _limits(LimitsFile.model_validate_json(data))
    except ValidationError as error:
        raise BadLimits(_sentence(error.errors(include_url=False)[0])) from None


def _limits(file: LimitsFile) -> OwnerLimits:
    caps = file.model_dump(exclude={"hours", "places", "allow_missing_sandbox_layers"})
    return OwnerLimits(
        **caps,
        hours=tuple(hours_of(text) for text in file.hours),
        places=frozenset(file.places),
        allowed_missing_layers=frozenset(file.allow_missing_sandbox_layers),
    )


def _sentence(problem: ErrorDetails) -> str:
    where = ".".join(shown(str(part), _SHOWN) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown field{_guess(where)}"
    words = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    is_ours = problem["type"] == "value_error"
    given = "" if is_ours else f", not {shown(orjson.dumps(problem['input']).decode(), _SHOWN)}"
    return f"{where}: {words}{given}" if where else words


def _guess(name: str) -> str:
    known = [field.alias or "" for field in LimitsFile.model_fields.values()]
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; the fields are {', '.join(known)}"
