"""Wrong values are refused before anything is installed, in words that name the value."""

from typing import Any

import pytest
import yaml

from support.chart import Chart

REFUSED = [
    ("{gatway: {}}", "additional properties 'gatway' not allowed"),
    ("{operator: {replica: 2}}", "/operator': additional properties 'replica' not allowed"),
    ("{operator: {replicas: three}}", "/operator/replicas': got string, want integer"),
    ("{gateway: {replicas: 3}}", "/gateway/replicas': maximum: got 3, want 2"),
    ("{crds: {install: 'yes'}}", "/crds/install': got string, want boolean"),
    ("{commonLabels: {a: 1}}", "/commonLabels/a': got number, want string"),
    ("{operator: {podLabels: {app.kubernetes.io/name: x}}}", "invalid propertyName 'app.kubernetes.io/name'"),
    ("{imagePullSecrets: [pull]}", "/imagePullSecrets/0': got string, want object"),
    ("{images: {operator: {pullPolicy: Sometimes}}}", "one of 'Always', 'IfNotPresent', 'Never'"),
    ("{images: {agent: {tag: 'a b'}}}", "/images/agent/tag': 'a b' does not match"),
    ("{operator: {extraEnv: [{name: PATH, value: x}]}}", "'PATH' does not match pattern '^PARKADE_"),
    ("{operator: {extraEnv: [{name: PARKADE_X, value: 1}]}}", "/value': got number, want string"),
    ("{operator: {terminationGracePeriodSeconds: 0}}", "minimum: got 0, want 1"),
    ("{gateway: {resources: {requests: {cpu: lots}}}}", "'lots' does not match"),
    ("{gateway: {expose: {type: ClusterIP}}}", "one of 'LoadBalancer', 'NodePort'"),
    ("{gateway: {expose: {loadBalancerSourceRanges: [all]}}}", "'all' does not match"),
    ("{gateway: {advertised: {door: 'https://x'}}}", "/gateway/advertised/door': 'https://x' does not match"),
    ("{gateway: {names: ['a,b']}}", "/gateway/names/0': 'a,b' does not match"),
    ("{platformStore: {url: 's3://bucket/x'}}", "/platformStore/url': 's3://bucket/x' does not match"),
    ("{platformStore: {url: 'file:///'}}", "/platformStore/url': 'file:///' does not match"),
    ("{platformStore: {retentionHours: 0}}", "/platformStore/retentionHours': minimum: got 0, want 1"),
    ("{platformStore: {persistence: {size: 10 GB}}}", "/size': '10 GB' does not match"),
    ("{platformStore: {persistence: {accessMode: ReadOnlyMany}}}", "'ReadWriteOnce', 'ReadWriteMany'"),
    ("{fileRoot: {enabled: true}}", "/fileRoot/existingClaim': minLength"),
    ("{simulation: {cpuShare: 0}}", "/simulation/cpuShare': exclusiveMinimum"),
    ("{simulation: {cpuShare: '1'}}", "/simulation/cpuShare': got string, want number"),
    (
        "{simulation: {allowMissingSandboxLayers: [network]}}",
        "one of 'namespaces', 'seccomp', 'landlock', 'cgroup-memory'",
    ),
    ("{networkPolicy: {metricsFrom: []}}", "/networkPolicy/metricsFrom': minItems"),
    ("{networkPolicy: {apiServerPorts: [70000]}}", "apiServerPorts/0': maximum"),
    ("{metrics: {serviceMonitor: {interval: often}}}", "'often' does not match"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_wrong_values_are_refused(chart: Chart, values: str, words: str) -> None:
    """Helm names the value that is wrong and what it should be, and renders nothing."""
    done = chart.run("template", yaml.safe_load(values))
    assert (done.returncode, words in done.stderr, done.stdout) == (1, True, ""), done.stderr


def test_every_value_is_described_and_checked(chart: Chart) -> None:
    """values.yaml has every property that the schema knows, so that reading it is enough."""
    root = chart.folder
    schema = yaml.safe_load((root / "values.schema.json").read_text())
    values = yaml.safe_load((root / "values.yaml").read_text())
    assert _unsaid(schema, values, schema["definitions"]) == {".global"}


def _unsaid(schema: dict[str, Any], values: Any, definitions: dict[str, Any], path: str = "") -> set[str]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        if isinstance(values, dict) and name in values:
            found |= _unsaid(part, values[name], definitions, f"{path}.{name}")
        else:
            found.add(f"{path}.{name}")
    return found


def test_an_older_kubernetes_is_refused(chart: Chart) -> None:
    """The chart says which Kubernetes it needs."""
    done = chart.run("template", {}, "--kube-version", "1.33.0")
    assert "incompatible with Kubernetes v1.33.0" in done.stderr


def test_what_the_cluster_has_no_kind_for_is_left_out(chart: Chart) -> None:
    """Without the Prometheus operator neither its monitors nor its rules are rendered."""
    assert "monitoring.coreos.com" not in chart.run("template", {}).stdout
