"""README's own lines, typed one after the other on a cluster as `make cluster` starts it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from parkade_hack.controlplane import ControlPlane
from parkade_hack.release import Release, leftovers
from parkade_hack.release.__main__ import write_environment
from parkade_hack.tools import ensure_tools
from support.controlplane import eventually

pytestmark = [pytest.mark.long(50), pytest.mark.controlplane, pytest.mark.timeout(600)]

SOURCE = "source .run/cluster/env"
TYPING_SECONDS = 400


def lines_of(readme: Path) -> list[str]:
    """What a reader types under "Install it", without the line that makes the shell use the cluster."""
    section = readme.read_text().partition("## Install it\n")[2]
    block = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert block is not None
    typed = [line.removeprefix("$ ") for line in block[1].splitlines()]
    assert typed[0] == SOURCE
    return typed[1:]


def test_readme_leads_from_install_to_results_and_away(root: Path, tmp_path: Path) -> None:
    """Pods become ready, a batch gives results and errors, and nothing is left after the last line."""
    with (
        ControlPlane(tmp_path / "control-plane", ensure_tools()) as control_plane,
        Release(tmp_path / "release", control_plane) as release,
    ):
        write_environment(tmp_path / "env", release)
        script = "\n".join(["set -euo pipefail", f"source {tmp_path}/env", *lines_of(root / "README.md")])
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-c", script],
            cwd=root,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=TYPING_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results = release.file_root / "default" / "results" / "stdlib-docs"
        ids = [json.loads(line)["custom_id"] for line in (results / "output.jsonl").read_text().splitlines()]
        assert ids == [f"sentence-{number}" for number in range(1, 13)]
        (error,) = [json.loads(line) for line in (results / "errors.jsonl").read_text().splitlines()]
        assert error["custom_id"] == "nothing said"
        eventually(lambda: not leftovers(control_plane.kubectl), 90, "nothing of the release is left")
