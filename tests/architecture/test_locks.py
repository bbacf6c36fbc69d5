"""Lock files hold what pyproject.toml asks for, by version and hash and without addresses."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROCESSES = ("operator", "agent", "models", "cli")
OTHERS = (
    "model",
    "simulation",
    "tritonclient",
    *(f"bench-{peer}" for peer in ("triton", "kserve", "mlserver", "openvino", "earlier-ort")),
)
PINNED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)", re.MULTILINE)
ENTRY = re.compile(r"^[\w.-]+==[^\n]*\\\n(?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE)


def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def _locked(root: Path, name: str) -> dict[str, str]:
    text = (root / "requirements" / f"{name}.txt").read_text()
    return {canonicalize_name(found["name"]): found["version"] for found in PINNED.finditer(text)}


def _asked(root: Path, name: str) -> list[str]:
    """The requirements that a lock file is made from: of one process, of a wheel, of running all, of developing."""
    project = _project(root)
    base, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    if name in extras:
        return [*base, *extras[name]]
    if name == "build":
        return list(groups["run"])
    everything = [*base, *(line for extra in extras.values() for line in extra), *groups["run"]]
    return everything if name == "run" else [*everything, *groups["dev"]]


def _unmet(asked: list[str], locked: dict[str, str]) -> list[str]:
    return [
        f"{requirement} is locked at {version}"
        for requirement in map(Requirement, asked)
        if (version := locked.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(version, prereleases=True)
    ]


def test_every_extra_has_its_lock(root: Path) -> None:
    """There is a lock file for each extra of pyproject.toml."""
    assert set(_project(root)["project"]["optional-dependencies"]) == set(PROCESSES)


@pytest.mark.parametrize("name", [*PROCESSES, "build", "run", "dev"])
def test_locks_satisfy_pyproject(root: Path, name: str) -> None:
    """Every requirement of a process is in its lock, at a version that pyproject.toml allows."""
    assert not _unmet(_asked(root, name), _locked(root, name)), "run requirements/lock.sh"


@pytest.mark.parametrize("name", [*PROCESSES, "build"])
def test_processes_run_at_the_versions_that_are_tested(root: Path, name: str) -> None:
    """A package has one version in all lock files."""
    tested = _locked(root, "run")
    assert {package: tested.get(package) for package in _locked(root, name)} == _locked(root, name)


@pytest.mark.parametrize("name", [*PROCESSES, "build", "run", "dev", *OTHERS])
def test_locks_hold_hashes_and_no_addresses(root: Path, name: str) -> None:
    """Every line of a lock file belongs to a package with its version and its hashes."""
    text = (root / "requirements" / f"{name}.txt").read_text()
    assert text
    assert not ENTRY.sub("", text)


def test_the_model_is_locked_as_it_is_named(root: Path) -> None:
    """model.txt locks exactly the versions that model.in names."""
    named = (root / "requirements" / "model.in").read_text()
    wanted = {canonicalize_name(found["name"]): found["version"] for found in PINNED.finditer(named)}
    assert _locked(root, "model") == wanted


def test_a_stale_lock_is_noticed() -> None:
    """A requirement that is missing or locked outside of its range is told by name."""
    assert _unmet(["a==2", "B_c>=1,<3", "d"], {"a": "1", "b-c": "2.5"}) == [
        "a==2 is locked at 1",
        "d is locked at None",
    ]
