"""The command line against clusters that do not answer."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from parkade_cli.__main__ import app
from parkade_cli.cluster import ApiServer, ClusterError
from parkade_hack.processes import free_port


def _kubeconfig(folder: Path) -> Path:
    """A kubeconfig of a server on a port where nothing listens."""
    server = f"http://127.0.0.1:{free_port()}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_an_absent_cluster_is_one_error(tmp_path: Path) -> None:
    """A missing kubeconfig and a server that is not there raise the same error, which says so."""
    with pytest.raises(ClusterError, match="does not answer"):
        ApiServer(str(tmp_path / "nothing"))
    with pytest.raises(ClusterError, match="refused"):
        ApiServer(str(_kubeconfig(tmp_path))).snapshot()


def test_watch_ends_with_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`watch` without a cluster ends with exit code 1 and one sentence instead of a traceback."""
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "nothing")
    )
    done = CliRunner().invoke(app, ["watch", "--once"])
    assert done.exit_code == 1
    assert done.output.startswith("error: the cluster does not answer: ")
