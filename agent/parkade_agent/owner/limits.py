"""What the owner writes by hand: `limits.json`, the hard caps, and `places.json`. A file of nonsense stops all work."""

import difflib
from collections.abc import Callable
from typing import Annotated, Final, Self, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from parkade_agent.errors import AgentError
from parkade_agent.owner.signed import MOST_BYTES
from parkade_core.shown import shown
from parkade_core.vehicle.consent import PLACES
from parkade_core.vehicle.hours import BadHours, hours_of
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.position import Place, Position

_SHOWN: Final = 64
_T = TypeVar("_T")


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


class PlaceFile(BaseModel):
    """One place of `places.json`: a circle, WGS 84."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, allow_inf_nan=False
    )

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    radius_metres: Annotated[float, Field(ge=10, le=100_000)]


_PLACES: Final = TypeAdapter(dict[Annotated[str, AfterValidator(_place)], PlaceFile])


def read_limits(data: bytes) -> OwnerLimits:
    """The limits in the bytes of `limits.json`. Raises BadLimits."""
    file = _read(data, LimitsFile.model_validate_json, LimitsFile)
    caps = file.model_dump(exclude={"hours", "places", "allow_missing_sandbox_layers"})
    return OwnerLimits(
        **caps,
        hours=tuple(hours_of(text) for text in file.hours),
        places=frozenset(file.places),
        allowed_missing_layers=frozenset(file.allow_missing_sandbox_layers),
    )


def read_places(data: bytes) -> tuple[Place, ...]:
    """The places in the bytes of `places.json`. Raises BadLimits."""
    places = _read(data, _PLACES.validate_json, PlaceFile)
    return tuple(
        Place(name, Position(place.latitude, place.longitude), place.radius_metres)
        for name, place in places.items()
    )


def _read(data: bytes, validate: Callable[[bytes], _T], fields: type[BaseModel]) -> _T:
    if len(data) > MOST_BYTES:
        raise BadLimits(f"it has more than {MOST_BYTES} bytes")
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadLimits(f"line {error.lineno}: it is no JSON: {error.msg}") from None
    try:
        return validate(data)
    except ValidationError as error:
        raise BadLimits(_sentence(error.errors(include_url=False)[0], fields)) from None


def _sentence(problem: ErrorDetails, fields: type[BaseModel]) -> str:
    where = ".".join(shown(str(part), _SHOWN) for part in problem["loc"] if part != "[key]")
    match problem["type"]:
        case "extra_forbidden":
            return f"{where}: unknown field{_guess(str(problem['loc'][-1]), fields)}"
        case "missing":
            return f"{where}: missing"
        case "value_error":
            words = problem["msg"].removeprefix("Value error, ")
        case _:
            words = problem["msg"].replace("Input should be", "must be")
            if fields is not PlaceFile:  # where the vehicle's places are stands in no log
                words = f"{words}, not {shown(orjson.dumps(problem['input']).decode(), _SHOWN)}"
    return f"{where}: {words}" if where else words


def _guess(name: str, fields: type[BaseModel]) -> str:
    known = [field.alias or "" for field in fields.model_fields.values()]
    close = difflib.get_close_matches(name, known, n=1)
    return f", perhaps {close[0]}" if close else f"; the fields are {', '.join(known)}"
