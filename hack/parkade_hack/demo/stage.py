"""Where the demo plays: its run folder, what it says, and the promises that it checks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from parkade_hack.runs import run_folder


class DemoError(Exception):
    """A promise does not hold; the message says which and where to look."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The run folder (emptied at the start, kept for people to look into) and the way to speak."""

    folder: Path
    console: Console
    begun: float = field(default_factory=time.monotonic)

    def title(self, text: str) -> None:
        """Announces a scene with the seconds since the demo began."""
        passed = time.monotonic() - self.begun
        self.console.print(
            f"\n[{passed:5.1f} s] {text}", style="bold", markup=False, highlight=False, soft_wrap=True
        )

    def say(self, text: str) -> None:
        """Says one thing."""
        self.console.print(f"          {text}", markup=False, highlight=False, soft_wrap=True)

    def check(self, promise: str, *, holds: bool) -> None:
        """Says that *promise* holds. Raises DemoError when it does not."""
        if not holds:
            raise DemoError(f"broken promise: {promise}")
        self.say(f"holds: {promise}")


@contextmanager
def open_stage() -> Iterator[Stage]:
    """The one stage of this repository. Raises RunBusy while another demo plays on it."""
    with run_folder("demo") as folder:
        yield Stage(folder, Console())


def wait_for(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits until *is_so*. Raises DemoError naming *what* when *seconds* have passed."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise DemoError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
