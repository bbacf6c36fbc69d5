"""Whether an object already is what a patch would make it, so that nothing is written that changes nothing."""

from typing import Any


def covers(current: Any, wanted: Any) -> bool:
    """Whether *current*, as the API server holds it, already says all that *wanted* says.

    Objects may say more; a list of objects may hold more; a list of plain values must be the same.
    """
    if isinstance(wanted, dict):
        held = current if isinstance(current, dict) else {}
        return all(covers(held.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        held_list = current if isinstance(current, list) else []
        return all(any(covers(item, value) for item in held_list) for value in wanted)
    return bool(current == wanted or (not current and not wanted))


def merge_patch(before: Any, after: Any) -> Any:
    """The JSON merge patch (RFC 7386) that turns *before* into *after*: keys that *after* lacks become null."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    gone = dict.fromkeys(before.keys() - after.keys())
    return {key: merge_patch(before.get(key), value) for key, value in after.items()} | gone
