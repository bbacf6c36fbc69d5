"""The command line against clusters that answer, and that do not."""

import asyncio
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from parkade_api.wellknown import LABEL_BATCH_UID
from parkade_cli.__main__ import app
from parkade_cli.cluster import ApiServer, ClusterError
from parkade_core.batch.slots import replica_set
from parkade_hack.processes import free_port
from support.apiserver import serving
from support.objects import batch


def _kubeconfig(folder: Path, server: str) -> Path:
    """A kubeconfig of *server*."""
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
        ApiServer(str(_kubeconfig(tmp_path, f"http://127.0.0.1:{free_port()}"))).snapshot()


async def test_slots_are_found_by_the_label_that_each_has(tmp_path: Path) -> None:
    """The label with the batch's name is left out where the name is too long for one; that with its uid never is."""
    slots = replica_set(batch("n" * 64), ["home"], 1, 3600)
    assert list(slots["spec"]["template"]["metadata"]["labels"]) == [LABEL_BATCH_UID]
    async with serving(tmp_path) as (api, _):
        api.answer({"items": []}, {"items": []}, {"items": []})
        await asyncio.to_thread(ApiServer(str(_kubeconfig(tmp_path, api.url))).snapshot)
    asked = {path: query.get("labelSelector") for _, path, query, _ in api.asked}
    assert asked["/api/v1/pods"] == LABEL_BATCH_UID


def test_watch_ends_with_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`watch` without a cluster ends with exit code 1 and one sentence instead of a traceback."""
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "nothing")
    )
    done = CliRunner().invoke(app, ["watch", "--once"])
    assert done.exit_code == 1
    assert done.output.startswith("error: the cluster does not answer: ")
