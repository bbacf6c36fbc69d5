"""`parkade-check` on a cluster where nothing runs: each question fails by itself, with what helps."""

import subprocess
from pathlib import Path

from parkade_api.wellknown import GATEWAY, OPERATOR, SYSTEM_NAMESPACE
from parkade_hack.controlplane import ControlPlane
from parkade_hack.processes import plain_environment, python_module


def test_a_release_that_does_not_run_is_told(control_plane: ControlPlane, tmp_path: Path) -> None:
    """CRDs are well, leaders and gateway are not, and the exit code is 1; the ServiceAccount's own token suffices."""
    token = tmp_path / "token"
    token.write_text(control_plane.token("parkade-check", SYSTEM_NAMESPACE))
    settings = {
        "PARKADE_KUBE_SERVER": control_plane.server,
        "PARKADE_KUBE_CA_FILE": str(control_plane.ca_file),
        "PARKADE_KUBE_TOKEN_FILE": str(token),
        "PARKADE_GATEWAY_ADDRESS": "localhost:1",
        "PARKADE_PATIENCE_SECONDS": "0",
    }
    done = subprocess.run(
        python_module("parkade_operator.check"),
        env=plain_environment() | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = {line.partition(":")[0]: line for line in done.stdout.splitlines()}
    assert done.returncode == 1, done.stderr
    assert "ok      vehiclepools.parkade.dev" in told
    assert f"FAILED  leader of {OPERATOR}" in told
    assert f"FAILED  leader of {GATEWAY}" in told
    assert "FAILED  gateway at localhost" in told
