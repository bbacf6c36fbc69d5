"""A whole batch on the real control plane: from an applied manifest to proved files, through changes and kills."""

import json
import re
from itertools import takewhile

import pytest

from parkade_hack.local import LocalCluster
from support.batches import Garage, documents, long_documents, request_line
from support.controlplane import eventually
from support.corpus import content, corpus

pytestmark = pytest.mark.long(210)


def test_a_batch_of_every_odd_line_gives_proved_files(garage: Garage) -> None:
    """Good records succeed, bad ones are told with line and cure, and an independent program finds every byte right."""
    lines = corpus()
    garage.open(2)
    garage.kubectl.apply(garage.batch("docs", [content(lines[:-1]), b"\n", *documents(100), lines[-1].raw]))
    status = garage.wait_for("docs", "Completed")
    expected = [(n, one.id, one.code, one.words) for n, one in enumerate(lines, start=1) if one.code]
    records = 100 + sum(one.id is not None or one.code is not None for one in lines)
    assert status["requestCounts"] == {
        "total": records,
        "completed": records - len(expected),
        "failed": len(expected),
    }
    assert status["shards"]["succeeded"] == status["shards"]["total"]
    proof = garage.prove("docs")
    assert proof.returncode == 0, proof.stderr
    errors = [json.loads(line) for line in garage.files("docs")[1].splitlines()]
    told = [(line["error"]["line"], line["custom_id"], line["error"]["code"]) for line in errors]
    assert told == [row[:3] for row in expected]
    for line, (*_, words) in zip(errors, expected, strict=True):
        assert words in line["error"]["message"]


def test_kubectl_shows_a_batch_in_words(garage: Garage) -> None:
    """`get` has the columns of the story, `explain` every field, `describe` counts, failed records, cures, Events."""
    bad = [request_line("empty", "   "), b"{broken\n", request_line("doc-0003", "again"), b"[]\n"]
    garage.open()
    garage.kubectl.apply(garage.batch("docs", [*documents(20), *bad, *documents(40)[20:]]))
    garage.wait_for("docs", "Completed")
    table = garage.kubectl("get", "ib", "docs", "-n", garage.namespace)
    for column in ("PHASE", "PROGRESS", "SUCCEEDED", "FAILED", "VEHICLES", "ETA", "AGE"):
        assert column in table.splitlines()[0]
    assert "Completed   100        40          4" in table.splitlines()[1]
    for words in DESCRIBED:
        eventually(lambda words=words: re.search(words, described(garage)), 30, words)  # type: ignore[misc]
    explained = garage.kubectl("explain", "ib.spec.model.digest")
    assert "pins every file of the bundle" in explained
    assert "READY" in garage.kubectl("get", "vp").splitlines()[0]


def described(garage: Garage) -> str:
    """What a person reads of the batch; its Events are written after its status."""
    return garage.kubectl("describe", "ib", "docs", "-n", garage.namespace)


DESCRIBED = (
    r"Completed:\s+40\n\s+Failed:\s+4\n\s+Total:\s+44",
    r"Code:\s+EmptyText\n\s+Custom Id:\s+empty\n\s+Line:\s+21\n\s+Message:\s+The input is empty; give a text",
    r"Code:\s+NotJson\n\s+Line:\s+22\n\s+Message:\s+not JSON at column 2 .*; each line is one JSON object",
    r"Code:\s+RepeatedCustomId\n\s+Custom Id:\s+doc-0003\n\s+Line:\s+23\n\s+Message:\s+line 4 has the same",
    r"Error Uri:\s+file:///docs/errors.jsonl",
    r"Reason:\s+AllShardsCommitted",
    r"Message:\s+40 of 44 records succeeded, 4 failed: see file:///docs/errors.jsonl",
    r"Warning\s+RecordsFailed\s.*Line 22: NotJson: not JSON at column 2",
    r"Warning\s+RecordsFailed\s.*4 of 44 records failed; each has its line, code and cure in file:///docs/errors",
)


def test_a_finished_batch_leaves_no_slot(garage: Garage) -> None:
    """After the last shard the ReplicaSet has no pods and the vehicle runs nothing."""
    (vehicle,) = garage.open()
    garage.kubectl.apply(garage.batch("docs", documents(20)))
    garage.wait_for("docs", "Completed")
    eventually(lambda: not garage.slots("docs"), 30, "no slot is left")
    eventually(lambda: not garage.children(vehicle), 30, "no process of a slot is left")


def test_a_deleted_slot_is_replaced_and_its_processes_end(garage: Garage) -> None:
    """`kubectl delete pod` reaches the process; the ReplicaSet's next slot finishes the batch."""
    (vehicle,) = garage.open(share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(300)))
    garage.wait_for_commits("docs", 2)
    before = garage.children(vehicle)
    pod = next(pod for pod in garage.slots("docs") if pod["spec"].get("nodeName"))
    garage.kubectl("delete", "pod", pod["metadata"]["name"], "-n", garage.namespace, "--timeout=30s")
    assert not before & garage.children(vehicle)
    garage.wait_for("docs", "Completed")
    assert garage.prove("docs").returncode == 0


def test_a_deleted_batch_takes_everything_with_it(garage: Garage) -> None:
    """`kubectl delete ib` ends at once; slots, ReplicaSet and processes go, and the vehicle is free again."""
    (vehicle,) = garage.open(share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(500)))
    garage.wait_for_commits("docs", 1)
    garage.kubectl("delete", "ib", "docs", "-n", garage.namespace, "--timeout=10s")
    eventually(lambda: not garage.slots("docs"), 30, "no slot is left")
    eventually(lambda: not garage.children(vehicle), 30, "no process of a slot is left")
    assert garage.kubectl("get", "rs", "-n", garage.namespace, "-o", "name") == ""
    eventually(lambda: garage.pool_status("vehicles").get("busy") == 0, 30, "the vehicle is free")


def test_a_suspended_batch_keeps_what_is_done(garage: Garage) -> None:
    """`suspend` ends the slots, `resume` goes on from there, narrower if asked for, and the files are the same."""
    garage.open(share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(200)))
    garage.wait_for_commits("docs", 2)
    patch = ("patch", "ib", "docs", "-n", garage.namespace, "--type=merge", "-p")
    garage.kubectl(*patch, json.dumps({"spec": {"suspend": True}}))
    garage.wait_for("docs", "Suspended")
    eventually(lambda: not garage.slots("docs"), 30, "no slot is left")
    done = garage.status("docs")["shards"]["succeeded"]
    assert 0 < done < 20
    changed = {"suspend": False, "parallelism": 1, "shardTimeout": "20s"}
    garage.kubectl(*patch, json.dumps({"spec": changed}))
    garage.wait_for_commits("docs", min(done + 2, 20))
    assert garage.status("docs")["shards"]["leased"] <= 1
    assert garage.wait_for("docs", "Completed")["shards"]["succeeded"] == 20
    assert garage.prove("docs").returncode == 0


def test_a_killed_gateway_leads_again_to_the_same_bytes(garage: Garage, cluster: LocalCluster) -> None:
    """SIGKILL of the gateway mid-batch costs time only: no slot is replaced, the files equal those of a quiet run."""
    garage.open(2, share=0.4)
    lines = long_documents(500)
    garage.kubectl.apply(garage.batch("quiet", lines, sharding={"recordsPerShard": 50}))
    garage.wait_for("quiet", "Completed")
    garage.kubectl.apply(garage.batch("killed", lines))
    garage.wait_for_commits("killed", 3)
    slots = {pod["metadata"]["uid"] for pod in garage.slots("killed") if pod["spec"].get("nodeName")}
    cluster.kill("gateway")
    cluster.start("gateway")
    assert slots <= {pod["metadata"]["uid"] for pod in garage.slots("killed")}
    garage.wait_for("killed", "Completed")
    assert garage.files("killed") == garage.files("quiet")
    assert garage.prove("killed").returncode == 0


def test_an_operator_that_restarts_goes_on(garage: Garage, cluster: LocalCluster) -> None:
    """SIGKILL of the operator mid-batch: the next one takes the batch up and releases nothing that still runs."""
    garage.open(share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(200)))
    garage.wait_for_commits("docs", 1)
    uid = garage.kubectl.read("inferencebatch", "docs", "-n", garage.namespace)["metadata"]["uid"]
    cluster.kill("operator")
    cluster.start("operator")
    garage.wait_for_commits("docs", 8)
    told = cluster.log("operator").read_text().splitlines()
    # A fast machine may be through by now; a batch that is complete is released by right.
    running = takewhile(lambda line: garage.namespace not in line or '"Completed"' not in line, told)
    assert not [line for line in running if "batch released" in line and uid in line]
    garage.wait_for("docs", "Completed")
    assert garage.prove("docs").returncode == 0
