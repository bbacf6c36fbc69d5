"""The control plane's build, niced and in the background, while the first scene plays."""

import time

from parkade_hack.demo.stage import DemoError, Stage
from parkade_hack.processes import Program, Supervisor, python_module
from parkade_hack.tools import Tools, ensure_tools

NAME = "build"
LOOK_SECONDS = 0.5


class BackgroundBuild:
    """`python -m parkade_hack.tools` as a child; what it says is repeated between the scenes."""

    def __init__(self, stage: Stage, supervisor: Supervisor, environment: dict[str, str]) -> None:
        self._stage = stage
        self._supervisor = supervisor
        self._heard = 0
        supervisor.start(Program(NAME, python_module("parkade_hack.tools"), environment))

    def repeat_news(self) -> None:
        """Says the lines that the build has written since the last time."""
        lines = self._supervisor.log(NAME).read_text().splitlines()
        for line in lines[self._heard :]:
            if line.startswith(("building", "another", "the control plane", "error")):
                self._stage.say(line)
        self._heard = len(lines)

    def wait(self) -> Tools:
        """Waits for its end, repeating its progress. Raises DemoError when it failed."""
        while self._supervisor.is_running(NAME):
            self.repeat_news()
            time.sleep(LOOK_SECONDS)
        self.repeat_news()
        if self._supervisor.stop(NAME) != 0:
            raise DemoError(f"the control plane could not be built{self._supervisor.tail(NAME)}")
        return ensure_tools()
