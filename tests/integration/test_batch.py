"""A whole batch on the real control plane: from an applied manifest to proved files, through departures and kills."""

import json

from parkade_hack.local import AWAY, PARKED, LocalCluster
from support.batches import Garage, documents, long_documents, request_line
from support.controlplane import eventually


def test_a_batch_with_bad_lines_gives_proved_files(garage: Garage) -> None:
    """Good records succeed, bad ones are told with line and cure, and an independent program finds every byte right."""
    bad = [
        b"{broken\n",
        request_line("doc-0003", "this custom_id was used before"),
        request_line("empty", "   "),
        b'{"method": "POST", "url": "/v1/embeddings", "body": {"input": "no id"}}\n',
    ]
    garage.open(2)
    garage.kubectl.apply(garage.batch("docs", [*documents(100), *bad, request_line("last", "the end")]))
    status = garage.wait_for("docs", "Completed")
    assert status["requestCounts"] == {"total": 105, "completed": 101, "failed": 4}
    assert status["shards"]["succeeded"] == status["shards"]["total"]
    proof = garage.prove("docs")
    assert proof.returncode == 0, proof.stderr
    errors = [json.loads(line) for line in garage.files("docs")[1].splitlines()]
    told = [(line["error"]["line"], line["custom_id"], line["error"]["code"]) for line in errors]
    assert told == [
        (101, None, "NotJson"),
        (102, "doc-0003", "RepeatedCustomId"),
        (103, "empty", "EmptyText"),
        (104, None, "MissingCustomId"),
    ]


def test_kubectl_shows_a_batch_in_words(garage: Garage) -> None:
    """`get` has the columns of the story, `describe` its Events, `explain` every field."""
    garage.open()
    garage.kubectl.apply(garage.batch("docs", documents(30)))
    garage.wait_for("docs", "Completed")
    table = garage.kubectl("get", "ib", "docs", "-n", garage.namespace)
    for column in ("PHASE", "PROGRESS", "SUCCEEDED", "FAILED", "VEHICLES", "ETA", "AGE"):
        assert column in table.splitlines()[0]
    assert "Completed   100        30" in table.splitlines()[1]
    described = garage.kubectl("describe", "ib", "docs", "-n", garage.namespace)
    assert "AllShardsCommitted" in described
    assert "30 of 30 records succeeded" in described
    explained = garage.kubectl("explain", "ib.spec.model.digest")
    assert "pins every file of the bundle" in explained
    assert "READY" in garage.kubectl("get", "vp").splitlines()[0]


def test_a_finished_batch_leaves_no_slot(garage: Garage) -> None:
    """After the last shard the ReplicaSet has no pods and the vehicle runs nothing."""
    (vehicle,) = garage.open()
    garage.kubectl.apply(garage.batch("docs", documents(20)))
    garage.wait_for("docs", "Completed")
    eventually(lambda: not garage.slots("docs"), 20, "no slot is left")
    eventually(lambda: not garage.children(vehicle), 10, "no process of a slot is left")


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
    eventually(lambda: not garage.children(vehicle), 10, "no process of a slot is left")
    assert garage.kubectl("get", "rs", "-n", garage.namespace, "-o", "name") == ""
    eventually(lambda: garage.pool_status("vehicles").get("busy") == 0, 10, "the vehicle is free")


def test_a_suspended_batch_keeps_what_is_done(garage: Garage) -> None:
    """`suspend` ends the slots, `resume` goes on from there, and the files are the same as without."""
    garage.open(share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(300)))
    garage.wait_for_commits("docs", 2)
    patch = ("patch", "ib", "docs", "-n", garage.namespace, "--type=merge", "-p")
    garage.kubectl(*patch, json.dumps({"spec": {"suspend": True}}))
    garage.wait_for("docs", "Suspended")
    eventually(lambda: not garage.slots("docs"), 20, "no slot is left")
    done = garage.status("docs")["shards"]["succeeded"]
    assert 0 < done < 30
    garage.kubectl(*patch, json.dumps({"spec": {"suspend": False}}))
    assert garage.wait_for("docs", "Completed")["shards"]["succeeded"] == 30
    assert garage.prove("docs").returncode == 0


def test_a_driver_who_returns_gets_the_vehicle_and_the_batch_goes_on(garage: Garage) -> None:
    """The vehicle ends its slot by itself, its Node is closed, another finishes; it works again when it is parked."""
    first, second = garage.open(2, share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(500)))
    garage.wait_for_commits("docs", 2)
    first.say(AWAY)
    eventually(lambda: not garage.children(first), 5, "the driver has the vehicle")
    assert garage.children(second)
    eventually(lambda: garage.pool_status("ineligibleReasons").get("Driving") == 1, 10, "the reason is told")
    garage.wait_for("docs", "Completed")
    assert garage.prove("docs").returncode == 0
    first.say(PARKED)
    eventually(lambda: garage.pool_status("vehicles").get("eligible") == 2, 90, "it may work again")


def test_a_vehicle_that_dies_loses_no_shard(garage: Garage, cluster: LocalCluster) -> None:
    """After SIGKILL of an agent its children are gone; its shards are leased again, no record is lost or doubled."""
    first, _ = garage.open(2, share=0.3)
    garage.kubectl.apply(garage.batch("docs", long_documents(500)))
    garage.wait_for_commits("docs", 2)
    children = garage.children(first)
    cluster.kill(first.name)
    eventually(lambda: not garage.alive(children), 2, "its children are dead")
    garage.wait_for("docs", "Completed")
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
    assert not [line for line in told if "batch released" in line and uid in line]
    garage.wait_for("docs", "Completed")
    assert garage.prove("docs").returncode == 0
