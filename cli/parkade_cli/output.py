"""How a command's result is printed."""

from enum import StrEnum


class Output(StrEnum):
    """For people, or one JSON object for programs."""

    TEXT = "text"
    JSON = "json"
