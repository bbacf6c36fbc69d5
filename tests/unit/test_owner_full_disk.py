"""A full disk keeps no owner from stopping: a pause is a name, a revocation fits where the consent lay."""

import errno
from pathlib import Path

import pytest

from parkade_agent import durable
from parkade_agent.owner import command
from support.owners import Owner


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    """An owner who agreed while there was room, on a disk that has none since."""
    owner = Owner(tmp_path / "state")
    owner.says()
    owner.files().read()
    (tmp_path / "owner.pem").write_bytes(owner.key)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, f"{len(data)} bytes do not fit", str(path))

    monkeypatch.setattr(durable, "write", full)
    return owner


def asked(owner: Owner, *verb: str) -> int:
    """The exit code of a verb."""
    return command.main([*verb, "--state-dir", str(owner.state), "--vehicle", "v1"])


def test_a_pause_fits(owner: Owner) -> None:
    """Its note may be lost, the pause is there."""
    assert asked(owner, "pause", "holiday") == 0
    assert owner.files().read().paused_because == "the owner paused"


def test_a_revocation_fits(owner: Owner, tmp_path: Path) -> None:
    """It takes the place of the consent, byte for byte."""
    assert asked(owner, "consent", "revoke", "--key", str(tmp_path / "owner.pem")) == 0
    word = owner.files().read()
    assert (word.is_revoked, word.consent and word.consent.number) == (True, 2)


def test_a_grant_does_not_fit(owner: Owner, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What allows something must be whole on the disk, or the old word stays."""
    grant = ("consent", "grant", "--terms", "3", "--scope", "public-data")
    assert asked(owner, *grant, "--key", str(tmp_path / "owner.pem")) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert (consent := owner.files().read().consent) is not None
    assert consent.number == 1
