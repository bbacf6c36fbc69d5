"""What the API server itself says to manifests: nonsense is refused with field and cure, what is right goes through."""

from collections.abc import Iterator

import pytest

from parkade_hack.controlplane import ControlPlane
from support.admission import Admission
from support.manifests import ACCEPTED, ACCEPTED_CHANGES, REFUSED, REFUSED_CHANGES, STORED


@pytest.fixture(scope="module")
def admission(control_plane: ControlPlane) -> Iterator[Admission]:
    """The API server, asked as an administrator; one batch and one pool are stored."""
    asked = Admission(control_plane.kubectl.kubeconfig)
    for manifest in STORED.values():
        assert asked.create(manifest, "default") == ""
    yield asked
    asked.close()
    control_plane.kubectl("delete", "inferencebatch", "stored", "-n", "default")
    control_plane.kubectl("delete", "vehiclepool", "stored")


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_manifest_is_refused_with_field_and_cure(case: str, admission: Admission) -> None:
    """The API server itself refuses: by schema where that says enough, by CEL where only a sentence helps."""
    manifest, field, cure = REFUSED[case]
    message = admission.refusal(manifest, "default")
    assert field in message
    assert cure in message


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_right_manifest_is_accepted(case: str, admission: Admission) -> None:
    """What stands next to a refused manifest and makes sense goes through."""
    assert admission.refusal(ACCEPTED[case], "default") == ""


@pytest.mark.parametrize("case", REFUSED_CHANGES)
def test_what_a_batch_is_cannot_be_changed(case: str, admission: Admission) -> None:
    """Model, input, output and sharding stay; the message says what to do instead."""
    kind, spec, words = REFUSED_CHANGES[case]
    assert words in admission.refusal_of_change(STORED[kind], "default", spec)


@pytest.mark.parametrize("case", ACCEPTED_CHANGES)
def test_how_a_batch_is_worked_on_can_be_changed(case: str, admission: Admission) -> None:
    """Where, how widely and how patiently a batch runs may change while it does."""
    kind, spec = ACCEPTED_CHANGES[case]
    assert admission.refusal_of_change(STORED[kind], "default", spec) == ""
