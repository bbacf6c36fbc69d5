"""A vehicle that knows publishers, on the real control plane: the cluster names a model, the vehicle decides."""

from pathlib import Path

import pytest

from parkade_models.signing import sign_bundle
from support.batches import Garage, documents
from support.controlplane import eventually
from support.publishers import make_publisher

pytestmark = pytest.mark.long(40)
UNSIGNED = "one refused its bundle: the bundle is unsigned"


def test_a_bundle_runs_once_its_publisher_has_signed_it(garage: Garage, tmp_path: Path) -> None:
    """The same bundle twice: unsigned it is refused, signed it gives results, whatever came with the first batch."""
    publisher = make_publisher(tmp_path / "keys", "acme")
    garage.open(publishers=publisher.public.parent)
    garage.kubectl.apply(garage.batch("unsigned", documents(20)))
    eventually(lambda: UNSIGNED in garage.status("unsigned").get("message", ""), 60, "the refusal is told")
    garage.kubectl("delete", "inferencebatch", "unsigned", "-n", garage.namespace)
    sign_bundle(garage.folder / "model", publisher.private)
    garage.kubectl.apply(garage.batch("signed", documents(20)))
    assert garage.wait_for("signed", "Completed")["requestCounts"]["completed"] == 20
