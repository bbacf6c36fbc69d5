"""Whether an agent runs: whoever looks keeps nobody from looking, too."""

import fcntl
from pathlib import Path

from parkade_agent.owner.presence import claimed, is_running


def test_looking_is_no_claim(tmp_path: Path) -> None:
    """An agent is seen while it lives; two who look at once see no agent in each other."""
    assert not is_running(tmp_path)
    with claimed(tmp_path):
        assert is_running(tmp_path)
    with (tmp_path / "agent.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert not is_running(tmp_path)
