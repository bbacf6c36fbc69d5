"""Whatever bytes lie in the owner's folder, each reader takes them or refuses them in words."""

import contextlib
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_agent.errors import AgentError
from parkade_agent.owner.limits import read_limits, read_places
from parkade_agent.owner.receipts import verified
from parkade_agent.owner.signed import NotSigned, parse

READERS: tuple[Callable[[bytes], object], ...] = (read_limits, read_places, parse, verified)
NAMES = st.sampled_from(
    [
        "maxLanes",
        "hours",
        "places",
        "maxPowerWatts",
        "home",
        "latitude",
        "document",
        "signature",
        "certificate",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("reader", READERS)
@given(data=st.binary(max_size=64) | VALUES.map(orjson.dumps))
def test_any_bytes_are_taken_or_refused(reader: Callable[[bytes], object], data: bytes) -> None:
    """A reader raises what its caller expects, and nothing else."""
    with contextlib.suppress(AgentError):
        reader(data)


def test_a_document_too_deep_to_sign_is_refused() -> None:
    """What can be read but not written again was never signed."""
    deep = b'{"document": {"a": ' + b"[" * 500 + b"]" * 500 + b'}, "signature": ""}'
    with pytest.raises(NotSigned, match="cannot be written"):
        parse(deep)
