"""A vehicle is a Node of the real control plane: born closed, opened by its signals, closed by them at once."""

import json
import time
from datetime import datetime

import pytest

from parkade_agent.owner.command import main as owner
from parkade_api import vss
from parkade_hack.controlplane import Kubectl
from parkade_hack.local import AWAY, LocalCluster, Vehicle, VehicleSpec
from support.batches import Garage, Object, pool
from support.controlplane import eventually
from support.enrolment import CommandLine

PROVIDER = "virtual-kubelet.io/provider"
OPEN = {"Ready", "VehicleParked", "ChargingOK", "BatteryOK", "ThermalOK", "ConnectivityOK", "Trusted"}


def node(kubectl: Kubectl, vehicle: Vehicle) -> Object:
    """The vehicle's Node as the API server has it; empty while there is none."""
    return kubectl.look("nodes", vehicle.name) or {}


def taints(kubectl: Kubectl, vehicle: Vehicle) -> dict[str, str]:
    """Taint keys and effects of the vehicle's Node."""
    spec = node(kubectl, vehicle).get("spec", {})
    return {taint["key"]: taint["effect"] for taint in spec.get("taints", [])}


def condition(kubectl: Kubectl, vehicle: Vehicle, kind: str) -> tuple[str, str, str]:
    """Status, reason and message of one condition of the vehicle's Node."""
    for found in node(kubectl, vehicle)["status"]["conditions"]:
        if found["type"] == kind:
            return found["status"], found["reason"], found["message"]
    pytest.fail(f"no condition {kind}")


def true_conditions(kubectl: Kubectl, vehicle: Vehicle) -> set[str]:
    """The conditions that hold of the vehicle's Node."""
    conditions = node(kubectl, vehicle)["status"]["conditions"]
    return {found["type"] for found in conditions if found["status"] == "True"}


def pool_condition(garage: Garage, kind: str) -> str:
    """The message of a condition of the garage's pool; empty while it has none of that kind."""
    found = {item["type"]: str(item["message"]) for item in garage.pool_status("conditions")}
    return found.get(kind, "")


def test_a_parked_vehicle_is_a_ready_node_with_one_slot(garage: Garage) -> None:
    """The Node carries the verified claims, its pool, true conditions, one slot and a Lease that goes with it."""
    kubectl = garage.kubectl
    (vehicle,) = garage.open()
    found = node(kubectl, vehicle)
    assert found["metadata"]["labels"]["parkade.dev/region"] == garage.region
    assert found["metadata"]["labels"]["parkade.dev/pool"] == garage.region
    eventually(lambda: set(taints(kubectl, vehicle)) == {PROVIDER}, 30, "the Node is open")
    eventually(lambda: true_conditions(kubectl, vehicle) >= OPEN, 30, "all conditions hold")
    assert node(kubectl, vehicle)["status"]["allocatable"]["parkade.dev/slot"] == "1"
    lease = kubectl.read("lease", vehicle.name, "-n", "kube-node-lease")
    assert lease["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]


def test_a_vehicle_of_no_pool_stays_closed(garage: Garage, cluster: LocalCluster) -> None:
    """A Node is born with the taint `unknown`, keeps it while no pool has rules for it, and loses it then."""
    kubectl = garage.kubectl
    kubectl.apply(pool(garage.region, "elsewhere"))
    claims = {"region": garage.region, "hardware": "hw4"}
    vehicle = cluster.add_vehicle(VehicleSpec(f"{garage.region}-0", claims=claims))
    eventually(lambda: node(kubectl, vehicle), 30, "the Node exists")
    assert taints(kubectl, vehicle)["parkade.dev/unknown"] == "NoSchedule"
    kubectl.apply(pool(garage.region, garage.region))
    eventually(lambda: set(taints(kubectl, vehicle)) == {PROVIDER}, 30, "the Node is open")


def test_signals_close_the_node_with_the_number_that_failed(garage: Garage) -> None:
    """Unplugged is NoSchedule, a battery below the floor NoExecute; the condition's message has the number."""
    kubectl = garage.kubectl
    (vehicle,) = garage.open()
    vehicle.say({vss.PLUGGED_IN: False, vss.IS_CHARGING: False})
    eventually(lambda: "parkade.dev/charging" in taints(kubectl, vehicle), 30, "taint charging")
    assert taints(kubectl, vehicle)["parkade.dev/charging"] == "NoSchedule"
    vehicle.say({vss.STATE_OF_CHARGE: 41.0})
    eventually(lambda: "parkade.dev/battery" in taints(kubectl, vehicle), 30, "taint battery")
    assert taints(kubectl, vehicle)["parkade.dev/battery"] == "NoExecute"
    eventually(lambda: condition(kubectl, vehicle, "BatteryOK")[0] == "False", 30, "BatteryOK is false")
    status, reason, message = condition(kubectl, vehicle, "BatteryOK")
    assert (status, reason) == ("False", "LowBattery")
    assert "41 %" in message
    assert "60 %" in message


def test_taints_of_others_survive_ours(garage: Garage) -> None:
    """An administrator's taint is untouched when ours come."""
    kubectl = garage.kubectl
    (vehicle,) = garage.open()
    kubectl("taint", "node", vehicle.name, "example.com/washing=now:NoSchedule")
    vehicle.say(AWAY)
    eventually(lambda: "parkade.dev/driving" in taints(kubectl, vehicle), 30, "taint driving")
    assert {PROVIDER, "example.com/washing", "parkade.dev/driving"} <= set(taints(kubectl, vehicle))


def test_a_deleted_node_comes_back(garage: Garage) -> None:
    """Cloud controllers delete Nodes that they do not know; the vehicle's is made again, open as before."""
    kubectl = garage.kubectl
    (vehicle,) = garage.open()
    uid = node(kubectl, vehicle)["metadata"]["uid"]
    kubectl("delete", "node", vehicle.name)
    eventually(
        lambda: node(kubectl, vehicle).get("metadata", {}).get("uid") not in (None, uid), 30, "a new Node"
    )
    eventually(lambda: set(taints(kubectl, vehicle)) == {PROVIDER}, 30, "the Node is open")


def test_a_pod_that_is_no_slot_is_refused_in_words(garage: Garage) -> None:
    """A pod of another image that tolerates everything stays Pending and says why; its deletion is finished."""
    kubectl = garage.kubectl
    (vehicle,) = garage.open()
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger", "namespace": garage.namespace},
        "spec": {"nodeName": vehicle.name, "containers": [{"name": "web", "image": "nginx:1"}]},
    }
    eventually(lambda: kubectl.run("get", "sa", "default", "-n", garage.namespace).returncode == 0, 30, "sa")
    kubectl.apply(pod)

    def status() -> Object:
        found: Object = kubectl.look("pods", "stranger", namespace=garage.namespace)["status"]
        return found

    eventually(lambda: status().get("reason") == "NotForVehicles", 30, "the refusal")
    assert status()["phase"] == "Pending"
    assert "a vehicle runs only" in status()["message"]
    kubectl("delete", "pod", "stranger", "-n", garage.namespace, "--timeout=20s")


def test_the_words_of_administrator_and_owner_close_the_node(garage: Garage) -> None:
    """A quarantine keeps new work away and says why; a consent that is taken back ends all work within two seconds."""
    kubectl = garage.kubectl
    (vehicle,) = garage.open()
    name, command = vehicle.spec.vehicle_id, CommandLine(kubectl)
    assert command.run("quarantine", name, "--why", "two wrong results").exit_code == 0
    eventually(lambda: condition(kubectl, vehicle, "Trusted")[0] == "False", 30, "Trusted is false")
    words = "two wrong results. Ask whoever runs the fleet"
    assert condition(kubectl, vehicle, "Trusted")[1:] == ("Quarantined", words)
    assert taints(kubectl, vehicle)["parkade.dev/quarantine"] == "NoSchedule"
    eventually(lambda: garage.pool_status("vehicles")["quarantined"] == 1, 30, "the pool counts it")
    assert command.run("release", name).exit_code == 0
    eventually(lambda: garage.pool_status("vehicles")["quarantined"] == 0, 30, "the pool counts none")

    key = str(vehicle.folder / "owner.pem")
    own = ("--state-dir", str(vehicle.folder / "state"), "--vehicle", name, "--key", key)
    assert owner(["owner", "init", *own]) == 0
    assert owner(["consent", "grant", "--terms", "2", "--scope", "public-data", *own]) == 0
    asked = {"spec": {"consent": {"termsVersion": "2", "scopes": ["public-data"]}}}
    kubectl("patch", "vehiclepool", garage.region, "--type=merge", "--patch", json.dumps(asked))
    agreed = "1 of 1 owners have agreed to terms 2"
    eventually(lambda: pool_condition(garage, "ConsentCurrent") == agreed, 30, "the pool asks")
    eventually(lambda: condition(kubectl, vehicle, "ConsentCurrent")[0] == "True", 30, "the Node says so")
    assert owner(["consent", "revoke", *own]) == 0
    revoked_at = time.time()
    eventually(lambda: condition(kubectl, vehicle, "ConsentCurrent")[0] == "False", 30, "no consent")
    assert condition(kubectl, vehicle, "ConsentCurrent")[1] == "NoConsent"
    assert taints(kubectl, vehicle)["parkade.dev/consent"] == "NoExecute"
    turned = next(c for c in node(kubectl, vehicle)["status"]["conditions"] if c["type"] == "ConsentCurrent")
    assert datetime.fromisoformat(turned["lastTransitionTime"]).timestamp() <= revoked_at + 2
