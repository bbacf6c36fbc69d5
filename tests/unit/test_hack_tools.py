"""The control plane's programs: what fits, how long a build takes, how its progress is shown."""

import io
from pathlib import Path

import pytest

from parkade_hack.tools.build import build_missing
from parkade_hack.tools.catalogue import CONTROL_PLANE, PROMETHEUS, TOOLS
from parkade_hack.tools.errors import ToolsError
from parkade_hack.tools.estimate import in_words, seconds_left
from parkade_hack.tools.locate import ensure_tools, fitting_tools
from parkade_hack.tools.progress import ProgressLine

ETCD, KUBECTL, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, HELM = TOOLS


def _write_program(path: Path, answer: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)


def _write_all(folder: Path, kubernetes: str = "Kubernetes v1.37.9") -> None:
    answers = {ETCD: "etcd Version: 3.7.2", HELM: "v4.9.0+g12ab"}
    for tool in TOOLS:
        _write_program(folder / tool.name, answers.get(tool, kubernetes))


def test_programs_of_the_pinned_minor_version_are_taken(tmp_path: Path) -> None:
    """Kubernetes 1.37, etcd 3.7 and helm 4 are used as they are, whatever their patch."""
    _write_all(tmp_path)
    assert fitting_tools(str(tmp_path)) == {tool.name: tmp_path / tool.name for tool in TOOLS}


@pytest.mark.parametrize("version", ["Kubernetes v1.36.4", "Kubernetes v1.3.37", ""])
def test_a_program_of_another_version_is_left(tmp_path: Path, version: str) -> None:
    """Each program is judged on its own: the others of that folder are still taken."""
    _write_all(tmp_path)
    _write_program(tmp_path / "kube-scheduler", version)
    assert set(fitting_tools(str(tmp_path))) == {tool.name for tool in TOOLS} - {"kube-scheduler"}


def test_kubebuilder_assets_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS is looked at before PATH, which gives only what is not there: envtest has no helm."""
    assets, path = tmp_path / "assets", tmp_path / "path"
    for folder in (assets, path):
        folder.mkdir()
        _write_all(folder)
    (assets / "helm").unlink()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    monkeypatch.setenv("PATH", str(path))
    tools = ensure_tools()
    assert tools.folder == assets
    assert tools.path("helm") == str(path / "helm")


def test_only_what_is_missing_would_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the programs that Go is needed for, and no others."""
    _write_all(tmp_path)
    (tmp_path / "helm").unlink()
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolsError, match=r"^no helm for Kubernetes"):
        ensure_tools()


def test_no_programs_and_no_go_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go the error says which Go to install and what else would do."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolsError, match=r"install Go 1\.26.*KUBEBUILDER_ASSETS"):
        ensure_tools()


def test_prometheus_is_a_module_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's Prometheus 2 does not do; without Go the error names Prometheus and nothing of the control plane."""
    _write_program(tmp_path / "prometheus", "prometheus, version 2.42.0+ds (branch: debian/sid)")
    _write_program(tmp_path / "promtool", "promtool, version 3.5.1 (branch: HEAD)")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolsError, match=r"^no prometheus for Prometheus 3"):
        ensure_tools(PROMETHEUS)


def test_an_old_go_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Go older than go.mod asks for is refused before anything is built."""
    _write_program(tmp_path / "go", "go1.9.9")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolsError, match=r"is go1\.9\.9: the control plane needs Go 1\.26"):
        ensure_tools()


def test_a_failed_build_shows_the_compilers_words(tmp_path: Path) -> None:
    """When go fails, its own words are in the error and no half program is left."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'undefined: Gopher' >&2\nexit 3\n")
    go.chmod(0o755)
    with pytest.raises(ToolsError, match=r"(?s)etcd \(exit 3\).*undefined: Gopher"):
        build_missing(CONTROL_PLANE, TOOLS, tmp_path / "cache", str(go))
    assert not (tmp_path / "cache" / "etcd").exists()


@pytest.mark.parametrize(
    ("pace", "elapsed", "left"),
    [
        (1.0, 0.0, 306 + 124 + 13),
        (1.0, 100.0, 206 + 124 + 13),
        (2.0, 0.0, 2 * (306 + 124 + 13)),
        (1.0, 999.0, 137),
    ],
)
def test_time_left_follows_the_pace_of_this_machine(pace: float, elapsed: float, left: float) -> None:
    """What is done scales what remains; a program that takes longer than expected counts as nearly done."""
    done = [(ETCD, ETCD.seconds * pace), (KUBECTL, KUBECTL.seconds * pace)]
    rest = [CONTROLLER_MANAGER, SCHEDULER]
    assert seconds_left(done, API_SERVER, elapsed, rest) == pytest.approx(left)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (604, "about 10 min left"),
        (95, "about 2 min left"),
        (60, "about 1 min left"),
        (5, "less than a minute left"),
    ],
)
def test_durations_are_said_in_words(seconds: float, words: str) -> None:
    """People read minutes."""
    assert in_words(seconds) == words


def test_a_log_gets_a_line_now_and_then() -> None:
    """Outside a terminal a step is written when it begins and again after 20 s, not at every look."""
    stream = io.StringIO()
    line = ProgressLine(stream)
    for now in (0.0, 5.0, 19.0, 21.0):
        line.show("1 of 5 etcd", "about 10 min left", now)
    line.show("2 of 5 kubectl", "about 9 min left", 22.0)
    assert [text.split(",")[0] for text in stream.getvalue().splitlines()] == [
        "1 of 5 etcd",
        "1 of 5 etcd",
        "2 of 5 kubectl",
    ]
