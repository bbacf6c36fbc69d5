"""Kubernetes quantities of memory in bytes."""

import re

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "m": 1e-3}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def in_bytes(quantity: str) -> int:
    """The bytes that *quantity* says, such as 512Mi. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kMGTm]|[KMGT]i)?", quantity)
    if match is None:
        raise ValueError(f"{quantity} is no quantity")
    return int(float(match[1]) * (_UNITS | _BINARY)[match[2] or ""])
