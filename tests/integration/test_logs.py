"""`kubectl logs` of a slot: through the API server, the gateway's signed port and the vehicle's session."""

import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from parkade_api.wellknown import LABEL_BATCH, OPERATOR
from parkade_hack import proc
from parkade_hack.controlplane import ControlPlane, Kubectl
from parkade_hack.local import LocalCluster, Vehicle
from parkade_models.bundle import Bundle
from support.batches import Garage, Object, long_documents
from support.controlplane import eventually
from support.signing import client_certificate, serving_request

pytestmark = pytest.mark.long(60)

GATEWAY_USER = "system:serviceaccount:parkade-system:parkade-gateway"
# The gateway waits for 4 seconds; the rest is for a kubectl to start on a busy machine.
MOST_SECONDS = 10.0
AS_GATEWAY = ("--as", GATEWAY_USER, "--as-group", "system:authenticated")


@dataclass
class Slot:
    """One vehicle at work on a batch that outlasts this module."""

    garage: Garage
    vehicle: Vehicle

    def pod(self) -> Object:
        """The slot's pod as it is now; one that has ended is replaced in a moment."""
        return eventually(self._bound, 30, "a slot is bound") or {}

    def _bound(self) -> Object | None:
        bound = [pod for pod in self.garage.slots("long") if "nodeName" in pod["spec"]]
        return next((pod for pod in bound if "deletionTimestamp" not in pod["metadata"]), None)

    def logs(self, *flags: str, container: str = "runner") -> subprocess.CompletedProcess[str]:
        """What `kubectl logs` of a container says."""
        return self.garage.kubectl.run("logs", *self.name(), "-c", container, *flags)

    def name(self) -> list[str]:
        """The pod as kubectl is told it."""
        return [self.pod()["metadata"]["name"], "-n", self.garage.namespace]

    def printed(self, count: int) -> list[str]:
        """The lines of the runner's log, once there are *count*."""

        def enough() -> list[str]:
            lines = self.logs().stdout.splitlines()
            return lines if len(lines) >= count else []

        return eventually(enough, 60, f"{count} lines of the runner")

    def runner(self) -> int:
        """The pid of the runner."""
        agent = self.garage.cluster.pid(self.vehicle.name)
        found = proc.slot_program(agent, "runner")
        assert found is not None
        return found


@pytest.fixture(scope="module")
def slot(cluster: LocalCluster, control_plane: ControlPlane, int8_bundle: Bundle) -> Iterator[Slot]:
    """The module's vehicle and its slot."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", namespace)
    garage = Garage(cluster, namespace, int8_bundle.folder)
    (vehicle,) = garage.open(share=0.3)
    spec = {"sharding": {"recordsPerShard": 10}, "parallelism": 1}
    garage.kubectl.apply(garage.batch("long", long_documents(1500), **spec))
    slot = Slot(garage, vehicle)
    eventually(lambda: any("nodeName" in pod["spec"] for pod in garage.slots("long")), 120, "a slot")
    yield slot
    garage.close()
    control_plane.kubectl("delete", "namespace", namespace, "--wait=false")


def test_a_reader_gets_the_lines_it_asks_for(slot: Slot) -> None:
    """All, the last, the first bytes, the young ones, with and without times; the sidecar has a log of its own."""
    first = slot.printed(4)[:3]
    assert first[0] == "sidecar is healthy, asking for shards"
    assert slot.logs("--limit-bytes=10").stdout == first[0][:10]
    assert slot.logs("--tail=1").stdout.count("\n") == 1
    assert slot.logs("--tail=0").stdout == ""
    assert slot.logs("--since-time=2099-01-01T00:00:00Z").stdout == ""
    stamped = slot.logs("--timestamps").stdout.splitlines()
    assert [line.partition(" ")[2] for line in stamped[:3]] == first
    times = [datetime.fromisoformat(line.partition(" ")[0]) for line in stamped]
    assert times == sorted(times)
    third = times[2].isoformat(timespec="seconds")
    young = slot.logs(f"--since-time={third}").stdout.splitlines()
    assert young[0] == next(
        line for line, at in zip(first, times, strict=False) if at >= datetime.fromisoformat(third)
    )
    assert '"process": "sidecar"' in slot.logs(container="sidecar").stdout
    assert "container web is not valid" in slot.logs(container="web").stderr


def test_a_follower_sees_lines_come_until_the_container_ends(slot: Slot) -> None:
    """`-f` prints what is printed, ends with the run, and afterwards `--previous` has what it printed."""
    slot.printed(2)
    assert "there is no log before this one" in slot.logs("--previous").stderr
    command = [slot.garage.kubectl.program, "logs", "-f", "--tail=1", *slot.name(), "-c", "runner"]
    environment = slot.garage.kubectl.environment()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        seen = [follower.stdout.readline() for _ in range(3)]
        os.kill(slot.runner(), signal.SIGKILL)
        seen += follower.communicate(timeout=20)[0].splitlines(keepends=True)
        assert follower.returncode == 0
    assert len(set(seen)) == len(seen)
    eventually(lambda: slot.logs("--previous").returncode == 0, 60, "the runner is back")
    assert slot.logs("--previous").stdout.endswith("".join(seen))
    assert slot.logs().stdout != slot.logs("--previous").stdout


def test_a_vehicle_that_is_away_answers_in_five_seconds(slot: Slot, cluster: LocalCluster) -> None:
    """Whether it hangs or is gone, the reader is told which vehicle, since when, and how the slot stood."""
    slot.printed(1)
    os.kill(cluster.pid(slot.vehicle.name), signal.SIGSTOP)
    started = time.monotonic()
    hung = slot.logs()
    took = time.monotonic() - started
    assert "did not answer within 4 seconds; its last slot status was: runner" in hung.stderr
    assert took < MOST_SECONDS
    cluster.kill(slot.vehicle.name)

    def away() -> str:
        found = slot.logs().stderr
        return found if "is offline" in found else ""

    sentence = eventually(away, 30, "the session is gone")
    assert f"vehicle {slot.vehicle.spec.vehicle_id} is offline since 20" in sentence
    assert "its last slot status was: runner Running" in sentence
    started = time.monotonic()
    followed = slot.logs("-f")
    assert time.monotonic() - started < MOST_SECONDS
    assert (followed.returncode, followed.stdout.count("is offline since")) == (0, 1)
    cluster.start(slot.vehicle.name)
    slot.printed(1)


def test_nobody_runs_commands_in_a_vehicle(slot: Slot) -> None:
    """`kubectl exec` and `port-forward` are refused in words."""
    slot.printed(1)
    executed = slot.garage.kubectl.run("exec", *slot.name(), "-c", "runner", "--", "sh")
    assert executed.returncode != 0
    assert "Parkade runs no commands" in executed.stderr


def test_only_who_may_read_logs_gets_in(slot: Slot, tmp_path: Path) -> None:
    """Without a client certificate of the cluster nobody gets an answer; with one, RBAC decides for the very Node."""
    kubectl, pod = slot.garage.kubectl, slot.pod()
    slot.printed(1)
    node = kubectl.read("node", slot.vehicle.name)["status"]
    port = node["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    path = f"containerLogs/{slot.garage.namespace}/{pod['metadata']['name']}/runner"
    url = f"https://{node['addresses'][0]['address']}:{port}/{path}"
    trust = ssl.create_default_context(cafile=str(_cluster_ca(kubectl, tmp_path)))
    with pytest.raises(OSError, match=r"(?i)certificate required|reset|closed|broken pipe"):
        _get(url, trust)
    trust.load_cert_chain(client_certificate(kubectl, "carol", tmp_path))
    assert _get(url, trust) == (403, f"carol may not get nodes/proxy of {slot.vehicle.name}\n")
    kubectl("create", "clusterrole", "reads-one", "--verb=get", "--resource=nodes/proxy",
            f"--resource-name={slot.vehicle.name}")  # fmt: skip
    kubectl("create", "clusterrolebinding", "reads-one", "--clusterrole=reads-one", "--user=carol")
    text = eventually(lambda: _ok(_get(url, trust)), 30, "carol may read")
    kubectl("delete", "clusterrole,clusterrolebinding", "reads-one")
    assert text.startswith("sidecar is healthy")
    assert _get(url.replace(pod["metadata"]["name"], "another"), trust)[0] == 403
    assert _get(url.replace("/containerLogs/", "/pods/"), trust)[0] == 404


def _cluster_ca(kubectl: Kubectl, folder: Path) -> Path:
    data = kubectl.read("configmap", "kube-root-ca.crt", "-n", "default")["data"]
    file = folder / "ca.crt"
    file.write_text(data["ca.crt"])
    return file


def _ok(answer: tuple[int, str]) -> str:
    return answer[1] if answer[0] == HTTPStatus.OK else ""


def _get(url: str, trust: ssl.SSLContext) -> tuple[int, str]:
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trust), urllib.request.ProxyHandler({})
    )
    try:
        with opener.open(url, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("identity", "address", "verdict"),
    [
        (AS_GATEWAY, "127.0.0.1", "Approved"),
        (AS_GATEWAY, "10.1.2.3", "Denied"),
        ((), "127.0.0.1", ""),
    ],
)
def test_only_the_gateways_own_certificate_is_approved(
    cluster: LocalCluster, identity: tuple[str, ...], address: str, verdict: str
) -> None:
    """The operator decides every request of the gateway's identity, and leaves those of others alone."""
    kubectl = cluster.kubectl
    name = f"request-{uuid.uuid4().hex[:8]}"
    made = serving_request(name, address)
    kubectl("create", *identity, "-f", "-", stdin=json.dumps(made))
    probe = f"probe-{uuid.uuid4().hex[:8]}"
    # The queue has one worker: once a later request is decided, so is this one.
    later = json.dumps(serving_request(probe, "127.0.0.1"))
    kubectl("create", *AS_GATEWAY, "-f", "-", stdin=later)

    def conditions(request: str) -> list[str]:
        status = kubectl.read("csr", request).get("status") or {}
        return [condition["type"] for condition in status.get("conditions") or []]

    eventually(lambda: conditions(probe), 30, f"{OPERATOR} decides")
    assert conditions(name) == ([verdict] if verdict else [])
    kubectl("delete", "csr", name, probe)


def test_the_label_of_a_batch_finds_its_logs(slot: Slot) -> None:
    """`kubectl logs -l` prints the slots of a batch, as it does for any Deployment."""
    slot.printed(1)
    found = slot.garage.kubectl.run(
        "logs", "-l", f"{LABEL_BATCH}=long", "-n", slot.garage.namespace, "-c", "runner", "--tail=1"
    )
    assert found.stdout.count("\n") == 1
