"""A pause: it needs no key, says what it knows, and is refused where no agent would look for it."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from parkade_agent.owner import verbs
from parkade_agent.owner.files import OwnerFolder
from parkade_agent.owner.presence import claimed
from parkade_agent.owner.view import is_old, view_of, write_view
from parkade_core.vehicle.guard import decide, initial
from parkade_core.vehicle.rules import StopPolicy
from support.facts import OWN, RULES, facts
from support.owner_line import VIEW, Line
from support.owners import Owner

PAUSED = replace(OWN, paused_because="the owner paused")


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Line:
    """The owner of a vehicle that has no certificate yet."""
    return Line(Owner(tmp_path / "state").state, capsys)


def test_no_verb_speaks_into_a_folder_where_no_agent_looks(line: Line, tmp_path: Path) -> None:
    """An agent with its owner's folder elsewhere would run on while the owner reads that all is done."""
    elsewhere = tmp_path / "stick"
    write_view(line.state / "guard.json", replace(VIEW, owner=str(elsewhere)))
    verbs_of_the_folder = (
        ("pause",),
        ("resume",),
        ("status",),
        ("owner", "init", "--key", str(line.key)),
        ("consent", "show"),
        ("consent", "receipts"),
        *(("consent", verb, "--key", str(line.key)) for verb in ("renew", "narrow", "revoke")),
        ("consent", "grant", "--terms", "2", "--scope", "public-data", "--key", str(line.key)),
    )
    with claimed(line.state):
        for verb in verbs_of_the_folder:
            assert f"the agent follows {elsewhere}" in line.refused(*verb)
    assert [path.name for path in (line.state / "owner").iterdir()] == ["key.pem"]
    assert not line.key.exists()
    assert line("pause").startswith("Paused: no agent runs")  # what an agent left that is gone says nothing


def test_a_folder_that_is_not_mounted_takes_no_word(line: Line, tmp_path: Path) -> None:
    """What would lie at the mount point is gone when the disk is mounted over it."""
    stick = tmp_path / "stick"
    for verb in (("pause",), ("owner", "init", "--key", str(line.key))):
        assert "stick is not there" in line.refused(*verb, "--owner-dir", str(stick))
    assert not stick.exists()
    stick.mkdir()
    line("pause", "--owner-dir", str(stick))
    assert {path.name for path in stick.iterdir()} == {"pause", "mounted"}


@pytest.mark.parametrize("kept", [(), ("limits.json",)])
def test_a_mount_that_failed_takes_no_word(line: Line, kept: tuple[str, ...]) -> None:
    """A mount point is always a folder. The pause lies there, and the owner reads that it will not stay."""
    folder = line.state / "owner"
    for name in kept:
        (folder / name).write_text("{}", encoding="utf-8")
    line("pause")
    away = folder.rename(line.state / "away")
    folder.mkdir()
    assert "mount the owner's folder" in line.refused("resume")
    assert "mount the owner's folder" in line.refused("owner", "init", key=True)
    assert not line.key.exists()
    assert "pause again" in line.refused("pause")
    assert [path.name for path in folder.iterdir()] == ["pause"]
    (folder / "pause").unlink()
    folder.rmdir()
    away.rename(folder)
    assert line("resume") == "Resumed."


def test_a_pause_needs_no_key(line: Line) -> None:
    """Whoever sits in the vehicle may stop it; while no agent runs there is nothing to wait for."""
    assert line("pause", "my", "father", "drives").startswith("Paused: no agent runs")
    assert "the owner paused: my father drives" in line("status", "--vehicle", "v1")
    line("resume")
    line("resume")
    assert "pause          none" in line("status", "--vehicle", "v1")


def test_a_pause_waits_for_the_agents_own_word(line: Line) -> None:
    """What the command says of the vehicle is what the running agent has shown since."""
    pause, said = line.state / "owner" / "pause", threading.Event()

    def agent() -> None:
        while not pause.exists() and not said.is_set():
            time.sleep(0.01)
        while not said.is_set():
            write_view(line.state / "guard.json", replace(VIEW, at=time.time(), pause=_stamp(pause)))
            time.sleep(0.01)

    write_view(line.state / "guard.json", replace(VIEW, at=time.time()))
    acting = threading.Thread(target=agent)
    acting.start()
    try:
        with claimed(line.state):
            assert line("pause") == "Paused: the agent has stopped all work until `parkade-agent resume`."
    finally:
        said.set()
        acting.join()


@pytest.mark.parametrize("view", ["none", "without", "earlier"])
def test_an_agent_that_does_not_say_so_is_told_of(
    line: Line, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing shown, or not of this pause and now: the pause stays, and the owner knows what it is worth."""
    monkeypatch.setattr(verbs, "_PAUSE_SECONDS", 0.1)
    pause = line.state / "owner" / "pause"
    pause.touch()
    stamp, now = _stamp(pause), time.time()
    shown = {
        "without": replace(VIEW, at=now),
        "earlier": replace(VIEW, at=now, pause=stamp),
    }
    if view in shown:
        write_view(line.state / "guard.json", shown[view])
    with claimed(line.state):
        assert "work may still run; end the agent" in line.refused("pause")
    assert (line.state / "owner" / "pause").exists()


@pytest.mark.parametrize(
    ("at", "is_told"), [(940.0, True), (939.0, False), (1060.0, True), (1061.0, False), (0.0, False)]
)
def test_what_was_said_counts_for_a_minute(at: float, *, is_told: bool) -> None:
    """A view of long ago is that of an agent that hangs, one of the future that of a clock that was wrong."""
    assert is_old(replace(VIEW, at=at), 1000.0) is not is_told


@pytest.mark.parametrize("hold", StopPolicy)
def test_a_view_says_paused_when_the_guard_has_acted_on_it(hold: StopPolicy) -> None:
    """Whatever other reason comes first; without rules nothing runs anyhow; an older decision knows of no pause."""
    rules = replace(RULES, stop_policy=hold)
    before = decide(facts(rules), initial(0), 0)
    after = decide(facts(rules, PAUSED), before, 1)
    shown = [view_of("v1", state, PAUSED, "/owner", 7, 0.0).pause for state in (before, after, initial(0))]
    assert shown == [0, 7, 7]


def _stamp(pause: Path) -> int:
    return OwnerFolder(pause.parent).pause_stamp
