"""Makes a bare control plane ready for Parkade: CRDs, namespace, ServiceAccounts and RBAC."""

from parkade_hack.controlplane import ControlPlane
from parkade_hack.paths import CRDS, MANIFESTS

ESTABLISHED_SECONDS = 30


class PreparationError(Exception):
    """The repository lacks what a cluster needs; the message says how to make it."""


def prepare(control_plane: ControlPlane) -> None:
    """Applies crds/ and hack/manifests/ and waits for the CRDs. Raises PreparationError without crds/."""
    if not any(CRDS.glob("*.yaml")):
        raise PreparationError(f"no CRDs in {CRDS}: run `make generate`")
    kubectl = control_plane.kubectl
    kubectl("apply", "--server-side", "-f", str(CRDS), "-f", str(MANIFESTS))
    kubectl("wait", "--for=condition=Established", f"--timeout={ESTABLISHED_SECONDS}s", "-f", str(CRDS))
