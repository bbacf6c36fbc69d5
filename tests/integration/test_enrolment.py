"""A vehicle's way into the fleet and out of it, on the real control plane with the real command line."""

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_core.enrolment_token import EnrolmentToken, read_token
from parkade_hack.controlplane import ControlPlane
from parkade_hack.local import VehicleSpec
from parkade_hack.local.vehicle import Vehicle
from parkade_hack.processes import Program, plain_environment, python_module
from parkade_operator.door.tls import identity_of
from support.controlplane import eventually, leaving_nothing
from support.enrolment import (
    CommandLine,
    ShortLivedCluster,
    Thief,
    after_a_pause,
    come_back,
    crowd,
    enrol,
    fleet,
    pod_token,
    refusal,
    renew,
    stolen,
)

pytestmark = pytest.mark.long(55)

REFUSED = grpc.StatusCode.PERMISSION_DENIED
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNKNOWN = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture(scope="module")
def cluster(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ShortLivedCluster]:
    """Operator and gateway whose vehicles' certificates are good for seconds."""
    folder = tmp_path_factory.mktemp("enrolment")
    with leaving_nothing(ShortLivedCluster(folder, control_plane)) as running:
        yield running
        forget = ("--type=merge", "--patch", '{"data": null}')
        running.kubectl("patch", "configmap", "parkade-revoked", "-n", SYSTEM_NAMESPACE, *forget)


@pytest.fixture
def command(cluster: ShortLivedCluster) -> CommandLine:
    """`kubectl parkade`."""
    return CommandLine(cluster.kubectl)


def sessions(cluster: ShortLivedCluster, vehicle: Vehicle) -> int:
    """How many sessions the vehicle has opened."""
    return len(cluster.lines(vehicle.name, "session open"))


def labels_of(cluster: ShortLivedCluster, vehicle: Vehicle) -> dict[str, str]:
    """The labels of the vehicle's Node."""
    labels: dict[str, str] = cluster.kubectl.read("node", vehicle.name)["metadata"]["labels"]
    return labels


def ended(cluster: ShortLivedCluster, vehicle: str) -> bool:
    """Whether the gateway has ended a session of the vehicle."""
    return any(line["vehicle"] == vehicle for line in cluster.lines("gateway", "session ended"))


def events(cluster: ShortLivedCluster, vehicle: str, reason: str) -> list[str]:
    """Messages of the Events with that reason on the vehicle's Node."""
    about = f"reason={reason},involvedObject.name=vehicle-{vehicle}"
    found = cluster.kubectl.read("events", "-n", "default", f"--field-selector={about}")["items"]
    return [event["message"] for event in found]


def test_a_vehicle_enrols_renews_is_revoked_and_enrols_again(
    cluster: ShortLivedCluster, command: CommandLine
) -> None:
    """A token becomes a Node with its claims; renewals keep it; revoking ends it in 5 s; a fresh token revives it."""
    token = command.token("ada", "--claim", "region=eu", "--claim", "hardware=hw4")
    ada = cluster.add_vehicle(VehicleSpec("ada", token=token))
    eventually(lambda: cluster.kubectl.look("nodes", ada.name), 30, "the Node")
    labels = labels_of(cluster, ada)
    assert (labels["parkade.dev/region"], labels["parkade.dev/hardware"]) == ("eu", "hw4")
    assert (ada.folder / "state" / "identity" / "key.pem").stat().st_mode & 0o777 == 0o600
    first = identity_of(stolen(ada).certificate)

    eventually(lambda: len(cluster.lines(ada.name, "certificate renewed")) >= 2, 40, "two renewals")
    eventually(lambda: sessions(cluster, ada) >= 3, 30, "sessions with the new certificates")
    copy = stolen(ada)
    renewed = identity_of(copy.certificate)
    assert (renewed.vehicle, renewed.enrolled_at) == ("ada", first.enrolled_at)
    assert renewed.expires_at > first.expires_at
    assert events(cluster, "ada", "SessionReplaced") == []
    back = identity_of(come_back(read_token(token), copy).certificate)
    assert (back.vehicle, back.claims, back.enrolled_at) == ("ada", first.claims, first.enrolled_at)

    thief = Thief(read_token(token), copy)
    assert thief.refused() is None
    assert command.run("revoke", "ada").exit_code == 0
    eventually(lambda: thief.refused() is UNKNOWN and ended(cluster, "ada"), 5, "no renewal, no session")
    assert refusal(lambda: enrol(read_token(token), token=read_token(token).secret))[0] is REFUSED
    assert refusal(lambda: come_back(read_token(token), copy))[0] is REFUSED
    eventually(
        lambda: any("was revoked" in text for text in events(cluster, "ada", "VehicleRevoked")), 30, "Event"
    )

    before = sessions(cluster, ada)
    ada.give(command.token("ada", "--claim", "region=us"))
    eventually(lambda: sessions(cluster, ada) > before, 30, "a session of the new enrolment")
    assert identity_of(stolen(ada).certificate).enrolled_at > first.enrolled_at
    eventually(lambda: labels_of(cluster, ada)["parkade.dev/region"] == "us", 30, "the new claims")
    assert refusal(lambda: renew(read_token(token), copy))[0] in (UNKNOWN, grpc.StatusCode.UNAVAILABLE)


def test_a_token_is_good_for_one_key(cluster: ShortLivedCluster, command: CommandLine) -> None:
    """A second key with the same token is told that it was used; what the cluster keeps does not tell the token."""
    token = read_token(command.token("bob"))
    assert identity_of(enrol(token, token=token.secret).certificate).vehicle == "bob"
    code, words = refusal(lambda: enrol(token, token=token.secret))
    assert code is REFUSED
    assert "already used by another key" in words
    kept = cluster.kubectl("get", "secret", "parkade-enrolment-tokens", "-n", SYSTEM_NAMESPACE, "-o", "json")
    assert token.secret not in kept
    assert refusal(lambda: enrol(token, token="guess"))[1].startswith("this token is not known here")  # noqa: S106


HELLO = pb.VehicleMessage(hello=pb.Hello(nonce=bytes(16)))
TELEMETRY = pb.VehicleMessage(telemetry=pb.Telemetry())


@dataclass
class Callers:
    """Sessions of callers that are no agents, open until they are let go."""

    shown: EnrolmentToken
    over: threading.Event = field(default_factory=threading.Event)
    calls: list[Iterator[pb.GatewayMessage]] = field(default_factory=list)

    def say(self, stub: rpc.FleetStub, *messages: pb.VehicleMessage) -> Iterator[pb.GatewayMessage]:
        """Opens a session that says *messages* and then nothing."""

        def talk() -> Iterator[pb.VehicleMessage]:
            yield from messages
            self.over.wait(60)

        self.calls.append(stub.Session(talk(), timeout=60))
        return self.calls[-1]

    def fight(self, *rivals: rpc.FleetStub) -> None:
        """Opens session after session, of one after the other."""
        while True:
            for rival in rivals:
                next(self.say(rival, HELLO))


def test_who_asks_too_much_is_told_and_nobody_else_suffers(
    cluster: ShortLivedCluster, command: CommandLine
) -> None:
    """A flood of messages, two vehicles with one key, and a stream without hello, beside a vehicle that behaves."""
    callers = Callers(read_token(command.token("nobody")))
    with (
        fleet(callers.shown, cluster.mint("dora")) as stub,
        fleet(callers.shown, cluster.mint("emil")) as quiet,
        fleet(callers.shown, cluster.mint("finn")) as loud,
    ):
        steady, mute = callers.say(quiet, HELLO), callers.say(quiet)
        assert next(steady).HasField("welcome")
        code, words = refusal(lambda: list(callers.say(loud, HELLO, *[TELEMETRY] * 10_000)))
        assert (code, "more than 300 a second" in words) == (EXHAUSTED, True)
        next(callers.say(stub, HELLO))
        eventually(lambda: cluster.kubectl.run("get", "node", "vehicle-dora").returncode == 0, 30, "the Node")
        with fleet(callers.shown, cluster.mint("dora")) as twin:
            assert refusal(lambda: callers.fight(twin, stub))[0] is EXHAUSTED
        assert refusal(lambda: list(mute)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "no hello came")
        assert not steady.done()  # type: ignore[attr-defined]
        callers.over.set()
    eventually(lambda: events(cluster, "dora", "SessionReplaced"), 30, "an Event")
    (warning,) = events(cluster, "dora", "SessionReplaced")
    assert "kubectl parkade revoke" in warning


def test_a_crowd_at_the_enrolment_port_is_slowed_down(
    cluster: ShortLivedCluster, command: CommandLine
) -> None:
    """Whoever asks without a proper request is told so up to a rate, and then to come back later."""
    shown = read_token(command.token("nobody"))
    assert {grpc.StatusCode.INVALID_ARGUMENT, EXHAUSTED} <= set(crowd(shown, 1000))
    assert cluster.is_running("gateway")
    # The next test comes from the same address.
    eventually(lambda: EXHAUSTED not in after_a_pause(shown), 30, "the port lets in again")


def test_enroll_prints_the_token_alone(command: CommandLine) -> None:
    """Stdout is the token or JSON, what to do with it is on stderr, and nonsense is refused before it is written."""
    done = command.run("enroll", "carl", "--expires", "10m")
    assert read_token(done.stdout).vehicle == "carl"
    assert "PARKADE_ENROLMENT_TOKEN_FILE" in done.stderr
    made = json.loads(command.run("enroll", "carl", "--claim", "region=eu", "-o", "json").stdout)
    assert (made["vehicle"], made["claims"]) == ("carl", {"region": "eu"})
    for arguments, words in [
        (("enroll", "Carl!"), "is no vehicle id"),
        (("enroll", "carl", "--claim", "pool=x"), "is Parkade's own"),
        (("enroll", "carl", "--claim", "region"), "write name=value"),
        (("enroll", "carl", "--expires", "99d"), "no duration"),
        (("revoke", "Carl!"), "is no vehicle id"),
        (("enroll", "carl", "-n", "default"), "not found"),
    ]:
        done = command.run(*arguments)
        assert (done.exit_code, done.stdout) == (1, ""), arguments
        assert done.stderr.startswith("error: ")
        assert words in done.stderr


@pytest.fixture
def pod(cluster: ShortLivedCluster) -> Iterator[str]:
    """A pod under the simulation's ServiceAccount, which no Node runs."""
    name = f"parkade-simulation-{uuid.uuid4().hex[:8]}"
    spec = {
        "serviceAccountName": "parkade-simulation",
        "nodeSelector": {"no": "node"},
        "containers": [{"name": "simulation", "image": "parkade/agent:0"}],
    }
    cluster.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
            "spec": spec,
        }
    )
    yield name
    cluster.kubectl("delete", "pod", name, "-n", SYSTEM_NAMESPACE, "--force", "--grace-period=0")


def simulation(folder: Path, token: str, shown: EnrolmentToken) -> Program:
    """The process of a pod of two simulated vehicles."""
    (folder / "token").write_text(token)
    settings = {
        "PARKADE_DOOR_ADDRESS": shown.door,
        "PARKADE_ENROLMENT_ADDRESS": shown.enrolment,
        "PARKADE_DOOR_CA_FILE": str(folder / "ca.crt"),
        "PARKADE_SERVICE_ACCOUNT_TOKEN_FILE": str(folder / "token"),
        "PARKADE_STATE_DIR": str(folder / "state"),
        "PARKADE_VEHICLES": "2",
    }
    return Program("simulation", python_module("parkade_agent.simulation"), plain_environment() | settings)


def test_simulated_vehicles_enrol_with_their_pods_token(
    cluster: ShortLivedCluster, command: CommandLine, pod: str, tmp_path: Path
) -> None:
    """They wait for the door's CA, enrol by their pod's token, and are Nodes that say that they are simulated."""
    shown = read_token(command.token("nobody"))
    token = pod_token(cluster, pod, "parkade-simulation", "parkade-enrolment")
    supervisor = cluster._supervisor
    supervisor.start(simulation(tmp_path, token, shown))
    nodes = (f"vehicle-sim-{pod}", f"vehicle-sim-{pod}--1")
    assert cluster.kubectl.run("get", "node", *nodes).returncode != 0
    (tmp_path / "ca.crt").write_text(shown.ca)
    eventually(lambda: cluster.kubectl.run("get", "node", *nodes).returncode == 0, 30, "the Nodes")
    for node in nodes:
        labels = cluster.kubectl.read("node", node)["metadata"]["labels"]
        assert (labels["parkade.dev/simulated"], labels["parkade.dev/region"]) == ("true", "simulated")
    assert supervisor.stop("simulation") == 0


def test_other_service_accounts_do_not_enrol(
    cluster: ShortLivedCluster, command: CommandLine, pod: str
) -> None:
    """Neither another account, nor another audience, nor a token of no pod, nor a revoked vehicle's pod."""
    shown = read_token(command.token("nobody"))

    def refused(name: str, account: str, audience: str) -> str:
        token = pod_token(cluster, name, account, audience)
        code, words = refusal(lambda: enrol(shown, service_account_token=token))
        assert code is REFUSED
        return words

    assert "only system:serviceaccount:" in refused("", "parkade-operator", "parkade-enrolment")
    assert "only system:serviceaccount:" in refused(pod, "parkade-simulation", "parkade-gateway")
    assert "bound to no pod" in refused("", "parkade-simulation", "parkade-enrolment")
    command.run("revoke", f"sim-{pod}")
    assert "delete its pod" in refused(pod, "parkade-simulation", "parkade-enrolment")
