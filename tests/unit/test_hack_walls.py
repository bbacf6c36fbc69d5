"""A local cluster's vehicles lack no wall that the machine could put up; what it cannot is said before anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from parkade_agent.runtime.cgroups import slot_cgroup
from parkade_agent.runtime.sandbox.layers import CURES, Layer
from parkade_hack.local.vehicle import Vehicle, VehicleSpec
from parkade_hack.local.walls import lacking, layers_to_lack
from parkade_hack.pki import Authority
from parkade_hack.tools.errors import ToolsError


def test_a_vehicle_may_lack_what_its_machine_cannot_limit(tmp_path: Path) -> None:
    """Who runs it does not matter: root may be without the memory controller, another user may have it."""
    with slot_cgroup(1 << 30) as cgroup:
        limits_memory = cgroup is not None and cgroup.limits_memory
    expected = set() if limits_memory else {Layer.CGROUP_MEMORY}
    assert layers_to_lack() == expected
    vehicle = Vehicle(VehicleSpec("v1"), tmp_path / "v1", Authority(tmp_path / "pki", "door"))
    allowed = vehicle.program({}).environment["PARKADE_ALLOW_MISSING_SANDBOX_LAYERS"]
    assert allowed == ",".join(expected)


@pytest.mark.parametrize("why", [{}, {Layer.CGROUP_MEMORY: "read-only"}])
def test_only_the_control_group_may_be_missing(why: dict[Layer, str]) -> None:
    """A container or a machine of version 2 gives it to few."""
    assert lacking(why) == set(why)


@pytest.mark.parametrize("layer", [Layer.NAMESPACES, Layer.SECCOMP, Layer.LANDLOCK])
def test_another_wall_that_is_missing_is_told_with_its_cure(layer: Layer) -> None:
    """Vehicles would wait for ever without a word of why."""
    with pytest.raises(ToolsError) as raised:
        lacking({layer: "Operation not permitted", Layer.CGROUP_MEMORY: "read-only"})
    assert str(raised.value) == f"the wall {layer} does not stand (Operation not permitted): {CURES[layer]}"


def test_a_bubblewrap_that_may_not_make_name_spaces_is_found(tmp_path: Path) -> None:
    """It says its version and does nothing else, as on a machine that forbids user name spaces."""
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    bwrap.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "parkade_hack.local.walls", bwrap],
        stdout=subprocess.PIPE,
        check=True,
        env=dict(os.environ),
    )
    missing = json.loads(done.stdout.splitlines()[-1])
    assert missing[Layer.NAMESPACES] == "setting up uid map: Permission denied"
