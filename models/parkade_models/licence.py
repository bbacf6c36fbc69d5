"""The licence in a model's own metadata against the licence that its description states."""

import re
from typing import Any, Final

from parkade_models.errors import BuildError

_KEY: Final = re.compile(r"licen[cs]e", re.IGNORECASE)
_FAMILIES: Final = {  # the first that is found names the family, so AGPL and LGPL stand before GPL
    "AGPL": r"agpl|affero",
    "LGPL": r"lgpl|lesser general public",
    "GPL": r"gpl|general public",
    "Apache": r"apache",
    "MIT": r"\bmit\b",
    "BSD": r"\bbsd\b",
    "MPL": r"\bmpl\b|mozilla public",
    "CC-BY-NC": r"cc.?by.?nc|non.?commercial",
    "CC-BY": r"cc.?by",
    "CC0": r"cc0|public domain",
    "OpenRAIL": r"rail",
    "proprietary": r"proprietary|all rights reserved",
}


def own_licences(model: Any) -> dict[str, str]:
    """What the metadata of an onnx.ModelProto says of its licence, by key."""
    return {each.key: each.value for each in model.metadata_props if _KEY.search(each.key) and each.value}


def check_licence(model: Any, stated: str) -> None:
    """Raises BuildError naming both when the model's own metadata contradicts the *stated* licence."""
    for key, own in own_licences(model).items():
        if _contradicts(own, stated):
            raise BuildError(
                f"the description says licence {stated!r}, the model's own metadata says {own!r} ({key}); "
                "find out which is right and state it"
            )


def _contradicts(own: str, stated: str) -> bool:
    if _family(own) or _family(stated):
        return _family(own) != _family(stated)
    return own.strip().lower() != stated.strip().lower()


def _family(text: str) -> str | None:
    return next((name for name, words in _FAMILIES.items() if re.search(words, text, re.IGNORECASE)), None)
