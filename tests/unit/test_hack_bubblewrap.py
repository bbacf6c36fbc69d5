"""Where the local cluster's vehicles get bubblewrap from, and what is said when there is none."""

from pathlib import Path

import pytest

from parkade_hack.tools import bubblewrap
from parkade_hack.tools.bubblewrap import VARIABLE, ensure_bubblewrap, fits
from parkade_hack.tools.errors import ToolsError


def _write(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "is_fit"),
    [
        ("echo 'bubblewrap 0.8.0'", True),
        ("echo 'bubblewrap 0.11.0'", True),
        ("echo 'bubblewrap 0.7.0'", True),
        ("echo 'bubblewrap 0.6.3'", False),
        ("echo 'bubblewrap 1.0.0'", False),
        ("echo bubblewrap", False),
        ("exit 1", False),
    ],
)
def test_versions_that_fit(tmp_path: Path, script: str, is_fit: bool) -> None:  # noqa: FBT001 - a case
    """Only a version whose arguments we know is taken."""
    assert fits(_write(tmp_path / "bwrap", script)) is is_fit


def test_the_named_one_comes_before_that_of_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PARKADE_BWRAP, then PATH; one that does not fit is passed over."""
    named, found = tmp_path / "named", tmp_path / "bwrap"
    monkeypatch.setenv(VARIABLE, str(_write(named, "echo 'bubblewrap 0.8.0'")))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    _write(found, "echo 'bubblewrap 0.9.0'")
    ensure_bubblewrap.cache_clear()
    assert ensure_bubblewrap() == named
    _write(named, "exit 1")
    ensure_bubblewrap.cache_clear()
    assert ensure_bubblewrap() == found
    ensure_bubblewrap.cache_clear()


def test_without_apt_the_cure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program, no package manager: one sentence says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(bubblewrap, "cache_folder", lambda: tmp_path)
    ensure_bubblewrap.cache_clear()
    with pytest.raises(ToolsError, match=r"install bubblewrap 0\.7 or newer .*apt-get"):
        ensure_bubblewrap()
