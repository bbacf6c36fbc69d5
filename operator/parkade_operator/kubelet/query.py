"""The query of `/containerLogs`, as the API server writes it, and as anybody else may write it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from parkade_core.logs import LogOptions, problem_of


class BadQuery(Exception):
    """The query cannot be understood; the text says which part."""


def options_of(query: Mapping[str, str], now: float) -> LogOptions:
    """What the reader asks for at Unix time *now*. Raises BadQuery."""
    options = LogOptions(
        follow=_flag(query, "follow"),
        previous=_flag(query, "previous"),
        timestamps=_flag(query, "timestamps"),
        tail_lines=_number(query, "tailLines"),
        since_unix_milliseconds=_since(query, now),
        limit_bytes=_number(query, "limitBytes"),
    )
    if (problem := problem_of(options)) is not None:
        raise BadQuery(problem)
    return options


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "").lower()
    if value not in {"", "0", "1", "false", "true"}:
        raise BadQuery(f"{name} must be true or false")
    return value in {"1", "true"}


def _number(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name, "")
    if not value:
        return None
    # More digits than any 64-bit number has are no number either.
    if not value.removeprefix("-").isdecimal() or len(value) > len(str(-(2**63))):
        raise BadQuery(f"{name} must be a whole number")
    return max(-(2**63), min(2**63 - 1, int(value)))


def _since(query: Mapping[str, str], now: float) -> int | None:
    seconds = _number(query, "sinceSeconds")
    if seconds is not None and seconds < 0:
        raise BadQuery("sinceSeconds must not be negative")
    if seconds is not None:
        return max(0, int((now - seconds) * 1000))
    if not (moment := query.get("sinceTime", "")):
        return None
    try:
        since = datetime.fromisoformat(moment)
    except ValueError:
        raise BadQuery("sinceTime must be a time like 2026-11-22T09:35:10Z") from None
    return max(0, int(since.replace(tzinfo=since.tzinfo or UTC).timestamp() * 1000))
