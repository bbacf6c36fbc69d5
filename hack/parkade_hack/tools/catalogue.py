"""Which programs are built, from which Go modules and packages, and how long each takes to build."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parkade_hack.paths import ROOT

KUBERNETES_VERSION: Final = "v1.37.1"
KUBERNETES_MINOR: Final = "v1.37."
ETCD_MINOR: Final = "3.7."
HELM_VERSION: Final = "v4.3.1"
HELM_MAJOR: Final = "v4."
PROMETHEUS_VERSION: Final = "3.13.5"
PROMETHEUS_MAJOR: Final = "version 3."

_STAMP: Final = "k8s.io/component-base/version"
_LDFLAGS: Final = " ".join(
    [
        "-s -w",
        f"-X {_STAMP}.gitVersion={KUBERNETES_VERSION}",
        f"-X {_STAMP}.gitMajor=1 -X {_STAMP}.gitMinor=37 -X {_STAMP}.gitTreeState=clean",
        f"-X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES_VERSION}",
        f"-X helm.sh/helm/v4/internal/version.version={HELM_VERSION}",
    ]
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One program, its Go package, and the seconds that its build took on two cores from an empty cache."""

    name: str
    package: str
    seconds: float
    version_arguments: tuple[str, ...]
    version_mark: str


TOOLS: Final = (
    Tool("etcd", "go.etcd.io/etcd/server/v3", 56, ("--version",), f"etcd Version: {ETCD_MINOR}"),
    Tool("kubectl", "k8s.io/kubernetes/cmd/kubectl", 105, ("version", "--client"), KUBERNETES_MINOR),
    Tool("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", 306, ("--version",), KUBERNETES_MINOR),
    Tool(
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        124,
        ("--version",),
        KUBERNETES_MINOR,
    ),
    Tool("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", 13, ("--version",), KUBERNETES_MINOR),
    Tool("helm", "helm.sh/helm/v4/cmd/helm", 100, ("version", "--short"), HELM_MAJOR),
)


@dataclass(frozen=True, slots=True)
class Module:
    """Programs built from one pinned Go module below hack/, all with the same flags."""

    name: str
    title: str
    version: str
    ldflags: str
    tags: str
    tools: tuple[Tool, ...]

    @property
    def folder(self) -> Path:
        """The folder of its go.mod."""
        return ROOT / "hack" / self.name


CONTROL_PLANE: Final = Module(
    "controlplane", "the control plane", f"Kubernetes {KUBERNETES_VERSION}", _LDFLAGS, "", TOOLS
)
PROMETHEUS: Final = Module(
    "prometheus",
    "Prometheus",
    f"Prometheus {PROMETHEUS_VERSION}",
    f"-s -w -X github.com/prometheus/common/version.Version={PROMETHEUS_VERSION}",
    "remove_all_sd,enable_kubernetes_sd",  # without the clouds' clients it builds in a third of the time
    (
        Tool(
            "prometheus",
            "github.com/prometheus/prometheus/cmd/prometheus",
            190,
            ("--version",),
            PROMETHEUS_MAJOR,
        ),
        Tool(
            "promtool", "github.com/prometheus/prometheus/cmd/promtool", 22, ("--version",), PROMETHEUS_MAJOR
        ),
    ),
)
MODULES: Final = {module.name: module for module in (CONTROL_PLANE, PROMETHEUS)}


@dataclass(frozen=True, slots=True)
class Tools:
    """Where each program lies."""

    paths: dict[str, Path]

    def path(self, name: str) -> str:
        """The program called *name*, as a command. Raises KeyError when there is none such."""
        return str(self.paths[name])

    @property
    def folder(self) -> Path:
        """The folder of kubectl, which a person may put on PATH."""
        return self.paths["kubectl"].parent
