"""Settings of processes: flags before variables, and words that help when one is missing or wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parkade_api.settings import load

PROCESSES = {
    "parkade_agent": ("parkade-agent", "PARKADE_STATE_DIR"),
    "parkade_agent.runner": ("parkade-runner", "PARKADE_AGENT_SOCKET"),
    "parkade_agent.sidecar": ("parkade-sidecar", "PARKADE_SLOT_DIR"),
    "parkade_operator.controllers": ("parkade-operator", "PARKADE_GATEWAY_TOKEN_FILE"),
    "parkade_operator.gateway": ("parkade-gateway", "PARKADE_PLATFORM_STORE"),
}


class Example(BaseSettings):
    """Two settings of a process."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_TEST_", frozen=True)

    slot_dir: Path = Field(description="A folder.")
    lanes: int = Field(default=1, ge=1, description="A number.")


def test_flags_come_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting is a kebab-case flag or a variable; the flag wins."""
    monkeypatch.setenv("PARKADE_TEST_SLOT_DIR", "from-variable")
    monkeypatch.setenv("PARKADE_TEST_LANES", "2")
    assert load(Example, "x", ["--slot-dir", "from-flag"]) == Example(slot_dir=Path("from-flag"), lanes=2)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ([], ["x: --slot-dir or PARKADE_TEST_SLOT_DIR: Field required"]),
        (
            ["--lanes", "0"],
            [
                "x: --slot-dir or PARKADE_TEST_SLOT_DIR: Field required",
                "x: --lanes or PARKADE_TEST_LANES: Input should be greater than or equal to 1, not '0'",
            ],
        ),
    ],
)
def test_every_problem_has_its_line(
    arguments: list[str], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing and what is wrong are all told at once, by flag and by variable."""
    with pytest.raises(SystemExit) as ended:
        load(Example, "x", arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines() == lines


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag with a typing error ends the process too, and so does one with an underscore."""
    with pytest.raises(SystemExit) as ended:
        load(Example, "x", ["--slot_dir", "here"])
    assert ended.value.code == 2
    assert "x: error: unrecognized arguments: --slot_dir" in capsys.readouterr().err


@pytest.mark.parametrize("module", PROCESSES)
def test_a_process_without_settings_says_what_it_lacks(module: str) -> None:
    """Each of the five processes ends with exit code 2 and lines instead of a traceback."""
    program, variable = PROCESSES[module]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PARKADE_")}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    flag = "--" + variable.removeprefix("PARKADE_").lower().replace("_", "-")
    assert f"{program}: {flag} or {variable}: Field required" in done.stderr.splitlines()
    assert all(line.startswith(f"{program}: ") for line in done.stderr.splitlines())
