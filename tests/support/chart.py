"""The chart as Helm renders it, or refuses to."""

import subprocess
from typing import Any, Final

import pytest
import yaml

from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_hack.paths import CHART
from parkade_hack.tools import ensure_tools

Object = dict[str, Any]
MONITORING: Final = (
    "monitoring.coreos.com/v1/ServiceMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
)
POD: Final[Object] = {
    "priorityClassName": "high",
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "podLabels": {"team": "fleet"},
    "podAnnotations": {"note": "x"},
    "terminationGracePeriodSeconds": 60,
}
FULL: Final[Object] = {
    "images": {
        part: {"repository": f"registry.example:5000/{part}", "tag": "1.2.3"}
        for part in ("operator", "agent")
    },
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"owner": "fleet"},
    "commonAnnotations": {"contact": "fleet"},
    "operator": POD
    | {"replicas": 2, "extraEnv": [{"name": "PARKADE_INTERVAL_MILLISECONDS", "value": "500"}]},
    "gateway": POD
    | {
        "replicas": 2,
        "names": ["door.example", "192.0.2.1"],
        "advertised": {"door": "door.example:443", "enrolment": "door.example:444"},
        "expose": {"enabled": True, "annotations": {"a": "b"}, "loadBalancerSourceRanges": ["192.0.2.0/24"]},
    },
    "platformStore": {"persistence": {"accessMode": "ReadWriteMany", "storageClass": "shared"}},
    "fileRoot": {"enabled": True, "existingClaim": "files"},
    "simulation": POD | {"replicas": 4},
    "networkPolicy": {"vehiclesFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
    "metrics": {
        "serviceMonitor": {"labels": {"release": "prometheus"}},
        "rules": {"labels": {"release": "prometheus"}, "runbookBase": "https://runbooks.example/"},
        "dashboard": {"enabled": True},
    },
}
MINIMAL: Final[Object] = {
    "crds": {"install": False},
    "keepOnUninstall": False,
    "platformStore": {"persistence": {"enabled": False}},
    "simulation": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "metrics": {"serviceMonitor": {"enabled": False}, "rules": {"enabled": False}},
}
VALUES: Final = {"default": {}, "full": FULL, "minimal": MINIMAL}


class Chart:
    """Runs helm over the chart in *folder*, without a cluster."""

    folder = CHART

    def __init__(self, program: str) -> None:
        self._program = program
        self._rendered: dict[str, list[Object]] = {}

    def run(self, command: str, values: Object, *flags: str) -> subprocess.CompletedProcess[str]:
        """What helm *command* says to *values*."""
        name = ["parkade"] if command == "template" else []
        return subprocess.run(
            [
                self._program,
                command,
                *name,
                str(CHART),
                "--namespace",
                SYSTEM_NAMESPACE,
                "--values",
                "-",
                *flags,
            ],
            input=yaml.safe_dump(values),
            capture_output=True,
            text=True,
            check=False,
        )

    def objects(self, kind: str = "default") -> list[Object]:
        """Every object for one of VALUES, on a cluster that has the Prometheus operator."""
        if kind not in self._rendered:
            self._rendered[kind] = self.render(VALUES[kind])
        return self._rendered[kind]

    def render(self, values: Object) -> list[Object]:
        """Every object for *values*."""
        apis = [flag for api in MONITORING for flag in ("--api-versions", api)]
        done = self.run("template", values, *apis)
        assert done.returncode == 0, done.stderr
        return [found for found in yaml.safe_load_all(done.stdout) if found]


@pytest.fixture(scope="session")
def chart() -> Chart:
    """The chart."""
    return Chart(ensure_tools().path("helm"))


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (found,) = (item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))
    return found


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """The pod of every Deployment, and `helm test`'s, by component."""
    found = {}
    for item in objects:
        if item["kind"] == "Deployment":
            found[item["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]] = item[
                "spec"
            ]["template"]["spec"]
        elif item["kind"] == "Pod":
            found[item["metadata"]["labels"]["app.kubernetes.io/component"]] = item["spec"]
    return found
