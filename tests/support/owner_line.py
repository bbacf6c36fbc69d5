"""The command line of a vehicle's owner, and a view that an agent has left."""

from pathlib import Path

import pytest

from parkade_agent.owner import command
from parkade_agent.owner.view import View

VIEW = View(
    vehicle="v1",
    at=0.0,
    state="Run",
    may_start=False,
    lanes=2,
    energy_wh_today=12.34,
    lines=("Not earning: nothing new starts.", "1. ChargingOK (NotCharging): no cable. Plug in."),
    causes=(
        {
            "condition": "ConsentCurrent",
            "reason": "NoConsent",
            "message": "the pool asks for terms 3, the owner agreed to 2",
            "remedy": "parkade-agent consent grant --terms 3",
        },
    ),
)


class Line:
    """The command line of one vehicle's owner."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self.key = state.parent / "owner.pem"
        self._capsys = capsys

    def __call__(self, *arguments: str, key: bool = False) -> str:
        """What a verb prints."""
        code, out, err = self.outcome(*arguments, *(("--key", str(self.key)) if key else ()))
        assert code == 0, err
        return out

    def refused(self, *arguments: str, key: bool = False) -> str:
        """Why a verb is not done."""
        code, out, err = self.outcome(*arguments, *(("--key", str(self.key)) if key else ()))
        assert (code, out) == (1, "")
        return err

    def outcome(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code and both streams."""
        code = command.main([*arguments, "--state-dir", str(self.state)])
        streams = self._capsys.readouterr()
        return code, streams.out.strip(), streams.err.strip()
