"""What the chart renders: valid, restricted, complete, and nothing that our processes write later."""

import json
import re
import tomllib
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic_settings import BaseSettings

import parkade_api
from parkade_agent.simulation import settings as simulation
from parkade_api import wellknown as wk
from parkade_hack.paths import ROOT
from parkade_operator.check import settings as check
from parkade_operator.controllers import settings as operator
from parkade_operator.gateway import settings as gateway
from parkade_operator.kube.client import Access
from support.chart import VALUES, Chart, Object, named, pod_specs

SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "operator": (operator.Settings, Access),
    "gateway": (gateway.Settings, Access),
    "simulation": (simulation.Settings,),
    "check": (check.Settings, Access),
}
FOREIGN_KINDS = {"ServiceMonitor", "PrometheusRule"}


def variables(settings: tuple[type[BaseSettings], ...]) -> dict[str, bool]:
    """Every variable that a process reads, and whether it must be set."""
    return {
        f"{kind.model_config.get('env_prefix', '')}{name}".upper(): field.is_required()
        for kind in settings
        for name, field in kind.model_fields.items()
    }


@pytest.mark.parametrize("kind", VALUES)
def test_helm_finds_nothing_to_complain_about(chart: Chart, kind: str) -> None:
    """`helm lint --strict` passes with default, full and minimal values."""
    done = chart.run("lint", VALUES[kind], "--strict")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", VALUES)
def test_every_object_is_valid(chart: Chart, kind: str) -> None:
    """Each object has the fields of its kind in Kubernetes 1.37, and no other."""
    for item in chart.objects(kind):
        if item["kind"] not in FOREIGN_KINDS:
            kubernetes_validate.validate(item, "1.37", strict=True)


def test_versions_are_one(chart: Chart) -> None:
    """Chart, application, images and package have one version."""
    for item in chart.objects():
        labels = item["metadata"].get("labels")
        if labels is not None:
            assert labels["helm.sh/chart"] == f"parkade-{parkade_api.__version__}"
            assert labels["app.kubernetes.io/version"] == parkade_api.__version__
    images = {spec["containers"][0]["image"] for spec in pod_specs(chart.objects()).values()}
    assert images == {f"parkade/{part}:{parkade_api.__version__}" for part in ("operator", "agent")}


@pytest.mark.parametrize("kind", VALUES)
def test_each_variable_is_a_setting(chart: Chart, kind: str) -> None:
    """What the chart tells a process is what the process reads, and all that it must be told is told."""
    for component, spec in pod_specs(chart.objects(kind)).items():
        told = {entry["name"] for entry in spec["containers"][0]["env"]}
        known = variables(SETTINGS[component])
        assert told <= set(known), component
        assert {name for name, required in known.items() if required} <= told, component


def test_each_command_is_a_program_of_the_wheel(chart: Chart) -> None:
    """Pods start scripts of the project by their plain names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    commands = {spec["containers"][0]["command"][0] for spec in pod_specs(chart.objects()).values()}
    assert commands <= set(project["scripts"])


def test_the_names_are_those_that_the_processes_know(chart: Chart) -> None:
    """Objects that processes look for by name exist under that name, and the tokens have the known audiences."""
    wanted = {
        ("Secret", wk.SECRET_CA),
        ("Secret", wk.SECRET_TOKENS),
        ("ConfigMap", wk.CONFIG_MAP_CA),
        ("ConfigMap", wk.CONFIG_MAP_REVOKED),
        ("Lease", wk.OPERATOR),
        ("Lease", wk.GATEWAY),
        ("ClusterRole", wk.GATEWAY),
        ("Service", wk.GATEWAY),
        *(("ServiceAccount", name) for name in (wk.OPERATOR, wk.GATEWAY, wk.SIMULATION)),
    }
    assert wanted <= {(item["kind"], item["metadata"]["name"]) for item in chart.objects()}
    assert set(audiences(chart)) == {None, wk.GATEWAY_AUDIENCE, wk.ENROLMENT_AUDIENCE}
    selector = named(chart.objects(), "Service", wk.GATEWAY)["spec"]["selector"]
    assert selector[wk.LABEL_LEADER] == "true"


def audiences(chart: Chart) -> list[str | None]:
    """The audience of every projected token."""
    return [
        source["serviceAccountToken"].get("audience")
        for spec in pod_specs(chart.objects()).values()
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        if "serviceAccountToken" in source
    ]


@pytest.mark.parametrize("kind", VALUES)
def test_nothing_is_rendered_that_a_process_writes(chart: Chart, kind: str) -> None:
    """Helm owns no field of ours: Secrets, ConfigMaps and Leases are empty, pods carry no leader label."""
    empty = [item for item in chart.objects(kind) if item["kind"] in {"Secret", "ConfigMap", "Lease"}]
    for item in empty:
        if item["metadata"]["name"] != "parkade-dashboard":
            assert not {"data", "stringData", "binaryData", "spec"} & set(item), item["metadata"]["name"]
    for item in chart.objects(kind):
        if item["kind"] == "Deployment":
            assert wk.LABEL_LEADER not in item["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("kind", VALUES)
def test_rules_name_what_they_grant(chart: Chart, kind: str) -> None:
    """No rule of any role has a wildcard, and Secrets are granted by name."""
    for item in chart.objects(kind):
        for rule in item.get("rules", ()) if item["kind"] in {"Role", "ClusterRole"} else ():
            assert "*" not in {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}, item["metadata"]
            assert "secrets" not in rule["resources"] or rule["resourceNames"]


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        (wk.OPERATOR, ("controllers", "kube")),
        (wk.GATEWAY, ("gateway", "door", "kubelet", "kube")),
        ("parkade-check", ("check",)),
    ],
)
def test_no_rule_is_for_a_resource_that_the_process_never_names(
    chart: Chart, name: str, folders: tuple[str, ...]
) -> None:
    """Each resource of a process's roles is part of a path in its sources."""
    sources = "".join(
        path.read_text()
        for folder in folders
        for path in (ROOT / "operator" / "parkade_operator" / folder).glob("*.py")
    )
    for item in chart.objects():
        if item["kind"] in {"Role", "ClusterRole"} and item["metadata"]["name"] == name:
            for resource in {word for rule in item["rules"] for word in rule["resources"]} - {"signers"}:
                assert resource.partition("/")[0] in sources, resource


@pytest.mark.parametrize("kind", VALUES)
def test_pods_are_restricted(chart: Chart, kind: str) -> None:
    """Every pod meets the Pod Security Standard "restricted", writes to volumes only and is limited in memory."""
    for spec in pod_specs(chart.objects(kind)).values():
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("kind", VALUES)
def test_every_file_that_is_named_lies_on_a_volume(chart: Chart, kind: str) -> None:
    """A path in a variable is below a mounted volume that exists, or the process would not find it."""
    for component, spec in pod_specs(chart.objects(kind)).items():
        (container,) = spec["containers"]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts.values()) == {volume["name"] for volume in spec["volumes"]}, component
        for entry in container["env"]:
            path = re.sub("^file://", "", entry.get("value", ""))
            if path.startswith("/"):
                assert any(path == place or path.startswith(f"{place}/") for place in mounts), entry


def test_default_deny_lets_through_what_the_pods_say_to_each_other(chart: Chart) -> None:
    """Named ports of the NetworkPolicies are ports of the gateway's pods, and all of our pods are selected."""
    gateway_ports = {port["name"] for port in pod_specs(chart.objects())["gateway"]["containers"][0]["ports"]}
    policies = [item["spec"] for item in chart.objects() if item["kind"] == "NetworkPolicy"]
    peers: list[dict[str, Any]] = [
        rule for spec in policies for rule in (*spec.get("ingress", ()), *spec.get("egress", ()))
    ]
    ports = {port["port"] for rule in peers for port in rule["ports"]}
    assert {port for port in ports if isinstance(port, str)} == gateway_ports
    everything = named(chart.objects(), "NetworkPolicy", "parkade")["spec"]
    labels = everything["podSelector"]["matchLabels"]
    for item in chart.objects():
        if item["kind"] == "Deployment":
            assert labels.items() <= item["spec"]["template"]["metadata"]["labels"].items()


def test_what_cannot_be_made_again_is_kept(chart: Chart) -> None:
    """CRDs, the CA, tokens, revocations and the store stay at an uninstall, and only they."""

    def kept(objects: list[Object]) -> set[str]:
        keep = "helm.sh/resource-policy"
        return {
            f"{item['kind']}/{item['metadata']['name']}"
            for item in objects
            if keep in (item["metadata"].get("annotations") or {})
        }

    assert kept(chart.objects()) == {
        "CustomResourceDefinition/vehiclepools.parkade.dev",
        "CustomResourceDefinition/inferencebatches.parkade.dev",
        f"Secret/{wk.SECRET_CA}",
        f"Secret/{wk.SECRET_TOKENS}",
        f"ConfigMap/{wk.CONFIG_MAP_REVOKED}",
        "PersistentVolumeClaim/parkade-platform-store",
    }
    assert not kept(chart.objects("minimal"))


def test_a_store_on_one_machine_keeps_the_gateways_there(chart: Chart) -> None:
    """With a ReadWriteOnce volume a new gateway starts beside the old one, or its rollout would never end."""
    own = {"platformStore": {"persistence": {"existingClaim": "mine"}}}
    for objects in (chart.objects(), chart.render(own)):
        assert "podAffinity" in pod_specs(objects)["gateway"]["affinity"]
    assert "podAffinity" not in pod_specs(chart.objects("full"))["gateway"]["affinity"]


def test_alerts_and_dashboard_are_those_that_are_tested(chart: Chart) -> None:
    """The rules are those of files/alerts.yaml with the value for runbooks; the dashboard is files/dashboard.json."""
    rules = named(chart.objects("full"), "PrometheusRule", "parkade")["spec"]["groups"]
    tested = (chart.folder / "files" / "alerts.yaml").read_text()
    assert rules == yaml.safe_load(tested.replace("docs/runbook/", "https://runbooks.example/"))["groups"]
    dashboard = named(chart.objects("full"), "ConfigMap", "parkade-dashboard")["data"]["parkade.json"]
    assert json.loads(dashboard) == json.loads((chart.folder / "files" / "dashboard.json").read_text())
