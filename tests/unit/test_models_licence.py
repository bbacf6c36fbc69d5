"""A model's own metadata is believed over what somebody states of its licence."""

import onnx
import pytest

from parkade_models.errors import BuildError
from parkade_models.licence import check_licence, own_licences
from support.searches import classifier


def _model(**metadata: str) -> onnx.ModelProto:
    model = onnx.load_model_from_string(classifier())
    onnx.helper.set_model_props(model, metadata)
    return model


@pytest.mark.parametrize(
    ("own", "stated"),
    [
        ("AGPL-3.0 License (https://ultralytics.com/license)", "MIT"),
        ("GPL-3.0", "LGPL-3.0"),
        ("GNU Affero General Public License", "GPL-3.0"),
        ("CC-BY-NC-4.0", "CC-BY-4.0"),
        ("Apache License 2.0", "my own"),
        ("of the house", "Apache-2.0"),
        ("of the house", "of another house"),
    ],
)
def test_contradiction_is_refused(own: str, stated: str) -> None:
    """Another family of licences, or other words of an unknown one, are refused with both named."""
    with pytest.raises(BuildError, match="find out which is right") as refusal:
        check_licence(_model(license=own), stated)
    assert repr(own) in str(refusal.value)
    assert repr(stated) in str(refusal.value)


@pytest.mark.parametrize(
    ("own", "stated"),
    [
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("agpl-3.0", "AGPL-3.0-or-later"),
        ("MIT", "mit"),
        ("Of the house", "of the house "),
        ("", "MIT"),
    ],
)
def test_the_same_licence_in_other_words_is_taken(own: str, stated: str) -> None:
    """One family is one licence, however it is written; empty metadata says nothing."""
    check_licence(_model(license=own), stated)


def test_licence_is_found_under_any_spelling() -> None:
    """Keys that speak of a licence are found; others are not."""
    model = _model(License="MIT", model_licence_url="x", author="A. Permitted")
    assert own_licences(model) == {"License": "MIT", "model_licence_url": "x"}
