"""Which programs a control plane needs, from which Go packages, and how long each takes to build."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

KUBERNETES_VERSION: Final = "v1.37.1"
KUBERNETES_MINOR: Final = "v1.37."
ETCD_MINOR: Final = "3.7."
HELM_VERSION: Final = "v4.3.1"
HELM_MAJOR: Final = "v4."

_STAMP: Final = "k8s.io/component-base/version"
LDFLAGS: Final = " ".join(
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
class Tools:
    """Where each program lies."""

    paths: dict[str, Path]

    def path(self, name: str) -> str:
        """The program called *name*, as a command. Raises KeyError when a control plane has none such."""
        return str(self.paths[name])

    @property
    def folder(self) -> Path:
        """The folder of kubectl, which a person may put on PATH."""
        return self.paths["kubectl"].parent
