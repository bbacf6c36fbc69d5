"""A vehicle whose sandbox lacks a wall: refused by the wall's name, unless just that one was allowed."""

from pathlib import Path

import pytest

from parkade_models.bundle import Bundle
from support.vehicles import Certificates, Door, certificates, open_door, running_agent, shards_of


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One authority with a door's and a vehicle's certificate."""
    return certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def door(int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Door:
    """A gateway with one small shard for a vehicle on which bubblewrap cannot make name spaces."""
    monkeypatch.setenv("PARKADE_BWRAP", "/bin/false")
    return Door(int8_bundle.folder, shards_of(["parked"], 1))


@pytest.mark.parametrize("allowed", ["", "seccomp,landlock"])
async def test_a_vehicle_without_a_wall_runs_nothing(
    tmp_path: Path, door: Door, certs: Certificates, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    """The reason names the wall; the log says what would put it up."""
    monkeypatch.setenv("PARKADE_ALLOW_MISSING_SANDBOX_LAYERS", allowed)
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        door.assign()
        ended = await door.until(lambda d: d.ended())
    assert (ended.reason, ended.message) == ("SandboxIncomplete", "the sandbox lacks namespaces here")
    assert "install bubblewrap" in (tmp_path / "agent.log").read_text()


async def test_a_wall_that_was_allowed_by_name_may_be_missing(
    tmp_path: Path, door: Door, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is done behind the walls that stand."""
    monkeypatch.setenv("PARKADE_ALLOW_MISSING_SANDBOX_LAYERS", "namespaces")
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.results)
