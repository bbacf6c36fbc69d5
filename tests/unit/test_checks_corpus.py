"""The static checks refuse every hostile model with a sentence about it, and take what is only unusual."""

import re
from pathlib import Path

import pytest

from parkade_models.checks import check_model
from parkade_models.errors import ModelRefusedError
from support import hostile_bombs
from support.hostile import STRUCTURES, Hostile, good
from support.hostile_files import FILES


@pytest.mark.parametrize("case", [*STRUCTURES, *FILES, *hostile_bombs.REFUSED], ids=lambda case: case.name)
def test_a_hostile_model_is_refused(case: Hostile, tmp_path: Path) -> None:
    """The sentence names what is wrong with it."""
    with pytest.raises(ModelRefusedError) as caught:
        check_model(case.make(tmp_path), {})
    assert re.search(case.says, str(caught.value))


@pytest.mark.parametrize("case", hostile_bombs.BY_LIMITS, ids=lambda case: case.name)
def test_some_bombs_no_shape_tells_of(case: Hostile, tmp_path: Path) -> None:
    """They pass the checks: the limits of the process are there for them."""
    assert check_model(case.make(tmp_path), {}) > 0


def test_a_good_model_is_taken() -> None:
    """Its weights and its largest tensors are what it takes."""
    assert check_model(good().SerializeToString(), {}) == 16 + 16
