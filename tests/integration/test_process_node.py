"""Pods of our own images run as local processes, as a kubelet would run them in containers."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from parkade_hack import proc
from parkade_hack.controlplane import ControlPlane, Kubectl
from parkade_hack.release import ProcessNode
from support.controlplane import eventually
from support.pods import IMAGE, SECONDS, Object, Pods, pod

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
SLEEP = "import time; time.sleep(600)"
TELL = "import json, os, sys, time; print(json.dumps([dict(os.environ), sys.argv])); time.sleep(600)"
READ = "import sys; print(open(sys.argv[1]).read()); import time; time.sleep(600)"
FOLLOW = """
import sys, time
while True:
    print(open(sys.argv[1]).read()); time.sleep(0.2)
"""
# Answers 200 for the names of files in a folder.
SERVE = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        there = os.path.exists(sys.argv[1] + self.path)
        self.send_response(200 if there else 503); self.end_headers(); self.wfile.write(b"hello")
HTTPServer((os.environ["IP"], 8080), Answer).serve_forever()
"""
pytestmark = [pytest.mark.long(60), pytest.mark.usefixtures("node")]
IP = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


@pytest.fixture(scope="module")
def node(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessNode]:
    """The process node of this module."""
    with ProcessNode(tmp_path_factory.mktemp("node"), control_plane) as running:
        yield running


@pytest.fixture
def pods(kubectl: Kubectl, namespace: str) -> Pods:
    """The pods of this test."""
    return Pods(kubectl, namespace)


def data(kind: str, name: str, **values: str) -> Object:
    """A ConfigMap or a Secret."""
    field = "stringData" if kind == "Secret" else "data"
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: values}


def python(program: str, *arguments: str) -> list[str]:
    """A command that runs *program* with *arguments*."""
    return ["python", "-u", "-c", program, *arguments]


def test_a_container_gets_the_environment_that_its_pod_spells(pods: Pods) -> None:
    """Values, fields, keys, expansion and mount paths become variables and arguments; nothing else of ours leaks in."""
    key = {"secretKeyRef": {"name": "word", "key": "word"}}
    env = [
        IP,
        {"name": "WORD", "valueFrom": key},
        {"name": "SENTENCE", "value": "say $(WORD) to $(NOBODY) for $$5"},
        {"name": "STORE", "value": "file:///data/store"},
        {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "no", "optional": True}}},
    ]
    container = {
        "command": python(TELL, "$(WORD)", "--folder=/data"),
        "env": env,
        "envFrom": [{"prefix": "ALL_", "configMapRef": {"name": "all"}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    told = pod("told", "", container, volumes=[{"name": "data", "emptyDir": {}}])
    pods.apply(data("Secret", "word", word="hush"), data("ConfigMap", "all", a="1"), told)
    environment, arguments = pods.printed("told")
    assert environment["IP"] == pods.status("told")["podIP"] != "127.0.0.1"
    assert environment["SENTENCE"] == "say hush to $(NOBODY) for $5"
    folder = arguments[2].removeprefix("--folder=")
    assert (arguments[1], environment["STORE"]) == ("hush", f"file://{folder}/store")
    assert environment["ALL_a"] == "1"
    assert "ABSENT" not in environment
    assert not {"KUBECONFIG", "VIRTUAL_ENV", "PARKADE_NODE_FOLDER"} & set(environment)


def test_the_token_is_the_pods_own_and_ends_with_it(pods: Pods) -> None:
    """The API server knows the pod by its token, and refuses the token once the pod is gone."""
    pods.apply(pod("self", "", {"command": python(READ, TOKEN)}))
    token = eventually(lambda: pods.log("self").strip(), SECONDS, "the token is printed")

    def review() -> Object:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "metadata": {"name": "review"},
            "spec": {"token": token},
        }
        found = json.loads(pods.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(body)))["status"]
        return dict(found)

    user = review()["user"]
    assert user["username"] == f"system:serviceaccount:{pods.namespace}:default"
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["self"]
    pods.delete("self")
    # The API server trusts an answer about a token for ten seconds.
    eventually(lambda: not review().get("authenticated"), SECONDS, "the token is void")


def test_a_kubelets_identity_reads_only_what_its_pods_name(pods: Pods) -> None:
    """The Node authorizer holds the process node: a Secret that none of its pods names is refused."""
    pods.apply(data("Secret", "foreign", word="hush"))
    as_node = ("--as=system:node:process-node", "--as-group=system:nodes")
    refused = pods.kubectl.run("get", "secret", "foreign", "--namespace", pods.namespace, *as_node)
    assert "no relationship found between node 'process-node' and this object" in refused.stderr


def test_a_change_of_a_secret_reaches_the_file(pods: Pods) -> None:
    """A mounted Secret is changed under the running process, all of its files at once."""
    mount = {"volumeMounts": [{"name": "word", "mountPath": "/etc/word"}]}
    follow = pod(
        "follow",
        "",
        {"command": python(FOLLOW, "/etc/word/word"), **mount},
        volumes=[{"name": "word", "secret": {"secretName": "word"}}],
    )
    pods.apply(data("Secret", "word", word="one"), follow)
    eventually(lambda: "one" in pods.log("follow"), SECONDS, "the first word")
    pods.set_data("secret", "word", {"word": "two"})
    eventually(lambda: "two" in pods.log("follow", "--tail=1"), SECONDS, "the second word")


def server(name: str) -> Object:
    """A pod that is ready and alive while its ConfigMap of that name has keys `ready` and `alive`."""
    # A probe that is late on a busy machine says nothing of the server.
    often = {"periodSeconds": 1, "timeoutSeconds": 10}
    quick = {**often, "failureThreshold": 1}
    container = {
        "command": python(SERVE, "/switch"),
        "env": [IP],
        "ports": [{"name": "http", "containerPort": 8080}],
        "volumeMounts": [{"name": "switch", "mountPath": "/switch"}],
        "startupProbe": {"httpGet": {"path": "/alive", "port": "http"}, **often, "failureThreshold": 30},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, **quick},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": 8080}, **quick},
    }
    return pod(name, "", container, volumes=[{"name": "switch", "configMap": {"name": name}}])


def test_probes_gate_ready_and_restart(pods: Pods) -> None:
    """Ready follows the readiness probe both ways; a failed liveness probe ends the process and it starts again."""
    pods.apply(data("ConfigMap", "web", alive="yes"), server("web"))
    pods.phase("web", "Running")
    assert not pods.is_ready("web")
    pods.set_data("configmap", "web", {"ready": "yes"})
    eventually(lambda: pods.is_ready("web"), SECONDS, "web is ready")
    pods.set_data("configmap", "web", {"ready": None})
    eventually(lambda: not pods.is_ready("web"), SECONDS, "web is not ready")
    assert pods.container("web")["restartCount"] == 0
    pods.set_data("configmap", "web", {"alive": None})
    eventually(lambda: pods.container("web").get("lastState"), SECONDS, "web was ended")
    pods.set_data("configmap", "web", {"alive": "yes", "ready": "yes"})
    eventually(lambda: pods.is_ready("web"), SECONDS, "web is ready again")
    assert pods.container("web")["restartCount"] >= 1
    assert pods.container("web")["lastState"]["terminated"]["exitCode"] == 143


def asked(node: ProcessNode, target: str) -> str:
    """What comes back through the proxy when *target* is asked for /ready."""
    port = int(node.proxy.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        answer = connection.recv(4096).decode()
        if " 200 " in answer.splitlines()[0]:
            connection.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            answer = "".join(iter(lambda: connection.recv(4096).decode(), ""))
        return answer


def test_a_services_name_leads_to_its_ready_pods(pods: Pods, node: ProcessNode) -> None:
    """The proxy resolves a Service's name and named port to a ready pod, and says in words when it cannot."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]},
    }
    pods.apply(data("ConfigMap", "shop", alive="yes"), server("shop"), service)
    pods.phase("shop", "Running")
    name = f"shop.{pods.namespace}.svc"
    assert f"Service shop.{pods.namespace} has no ready pod" in asked(node, f"{name}:80")
    pods.set_data("configmap", "shop", {"ready": "yes"})
    eventually(lambda: "hello" in asked(node, f"{name}.cluster.local:80"), SECONDS, "the pod answers")
    assert "has no port 81" in asked(node, f"{name}:81")
    assert "is no Service of this cluster" in asked(node, "example.com:443")


def test_a_crash_is_counted_and_waited_for(pods: Pods) -> None:
    """A process that ends with an error starts again after a wait; its code and its last words are kept."""
    pods.apply(pod("crash", "", {"command": ["parkade-gateway"]}))
    eventually(lambda: pods.container("crash").get("restartCount"), SECONDS, "it was started twice")
    waiting = eventually(
        lambda: pods.container("crash")["state"].get("waiting"), SECONDS, "it waits for its next start"
    )
    assert waiting["reason"] == "CrashLoopBackOff"
    assert pods.container("crash")["lastState"]["terminated"]["exitCode"] == 2
    assert "PARKADE_PLATFORM_STORE: Field required" in pods.log("crash", "--previous")


def test_memory_over_the_limit_kills(pods: Pods) -> None:
    """A container that holds more than its limit is killed and says OOMKilled."""
    container = {"resources": {"limits": {"memory": "100Mi"}}}
    grow = "held = b'x' * 200_000_000; import time; time.sleep(600)"
    pods.apply(pod("grow", grow, container, restartPolicy="Never"))
    pods.phase("grow", "Failed")
    ended = pods.container("grow")["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_deletion_has_grace_and_an_end(pods: Pods, node: ProcessNode) -> None:
    """A process that ignores SIGTERM lives for its grace and is killed then, with its children."""
    deaf = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print('up'); time.sleep(600)"
    )
    pods.apply(pod("deaf", deaf))
    eventually(lambda: "up" in pods.log("deaf"), SECONDS, "it listens to nobody")
    pods.phase("deaf", "Running")
    pid = node.pod_pid("deaf", pods.namespace)
    family = proc.family(pid, proc.parents())
    assert len(family) == 2
    begun = time.monotonic()
    pods.delete("deaf")
    assert time.monotonic() - begun >= 1
    assert not any(map(proc.is_alive, family))


@pytest.mark.parametrize(("code", "condition"), [(0, "Complete"), (3, "Failed")])
def test_a_job_ends_as_its_program_does(pods: Pods, code: int, condition: str) -> None:
    """A pod that ended stays with its phase, so that the Job controller, or helm test, can read it."""
    made = pod("work", f"raise SystemExit({code})", restartPolicy="Never")
    template = {"spec": made["spec"]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work"},
        "spec": {"backoffLimit": 0, "template": template},
    }
    pods.apply(job)
    waiting = ("--namespace", pods.namespace, f"--timeout={SECONDS}s")
    pods.kubectl("wait", f"--for=condition={condition}", "job/work", *waiting)
    (ended,) = pods.kubectl.read("pods", "--namespace", pods.namespace)["items"]
    assert ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code


def test_a_foreign_image_is_refused_in_words(pods: Pods) -> None:
    """A pod of another image stays Pending and says what runs here, also as an Event."""
    pods.apply(pod("web", SLEEP, {"image": "nginx:1"}))
    eventually(lambda: pods.status("web").get("reason") == "NotForProcessNode", SECONDS, "the refusal")
    status = pods.status("web")
    assert status["phase"] == "Pending"
    assert f"image nginx:1 is none of parkade/agent:{IMAGE.rpartition(':')[2]}, {IMAGE}" in status["message"]
    asked = ("events", "--namespace", pods.namespace, "--field-selector=reason=NotForProcessNode")
    told = eventually(lambda: pods.kubectl.read(*asked)["items"], SECONDS, "an Event")
    assert told[0]["message"] == status["message"]


def test_nothing_outlives_the_process_node(pods: Pods, node: ProcessNode) -> None:
    """SIGKILL of the process node ends its pods' processes; one that starts again starts them anew and counts it."""
    pods.apply(pod("stay", "print('up'); " + SLEEP))
    pods.phase("stay", "Running")
    before = node.pod_pid("stay", pods.namespace)
    os.kill(node.pid, signal.SIGKILL)
    eventually(lambda: not proc.is_alive(before), SECONDS, "its process has ended")
    node.kill()
    node.start()

    def runs_anew() -> bool:
        stands = pods.container("stay")
        return stands["restartCount"] == 1 and "running" in stands["state"]

    eventually(runs_anew, SECONDS, "it was started anew")
    after = node.pod_pid("stay", pods.namespace)
    assert proc.is_alive(after)
    assert after != before
