"""The Dockerfiles, which no test builds: linted, and in step with the lock files and the chart."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("operator", "agent")
CHART_USER = "65532"


def dockerfile(image: str) -> Path:
    """The Dockerfile of one image."""
    return ROOT / "docker" / f"Dockerfile.{image}"


@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_finds_nothing(image: str) -> None:
    """The Dockerfile keeps the rules of hadolint."""
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([linter, dockerfile(image)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_what_is_locked_and_tested(image: str) -> None:
    """It installs from hashed lock files, on the Python that tests run on, and runs as the user of the chart."""
    text = dockerfile(image).read_text()
    locks = re.findall(r"--require-hashes -r (\S+)", text)
    assert locks == [f"requirements/{image}.txt", "requirements/build.txt"]
    assert all((ROOT / lock).is_file() for lock in locks)
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    assert bases == {"python:3.11-slim-bookworm"}
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == [f"{CHART_USER}:{CHART_USER}"]
    assert CHART_USER in (ROOT / "charts" / "parkade" / "templates" / "_pod.tpl").read_text()


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_starts_a_program_of_the_wheel(image: str) -> None:
    """What runs without a command is one of the project's scripts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (program,) = re.findall(r'^CMD \["(\S+)"\]', dockerfile(image).read_text(), re.MULTILINE)
    assert program in project["scripts"]


def test_the_build_sees_every_package_of_the_wheel() -> None:
    """.dockerignore lets through each folder that the wheel is made of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    seen = (ROOT / ".dockerignore").read_text().split()
    assert {f"!{package.partition('/')[0]}" for package in packages} <= set(seen)
