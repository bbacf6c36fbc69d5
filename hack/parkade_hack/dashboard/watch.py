"""A Prometheus that scrapes the pods of a release with a ServiceAccount of its own, and what the panels show of it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_hack.controlplane import ControlPlane
from parkade_hack.dashboard.questions import Panel, Query
from parkade_hack.local.tokens import TokenFile, TokenRefresher
from parkade_hack.paths import CHART
from parkade_hack.prometheus import Point, Prometheus, pod_scrape
from parkade_hack.tools import ensure_tools
from parkade_hack.tools.catalogue import PROMETHEUS

ALERTS: Final = CHART / "files" / "alerts.yaml"
RATE_INTERVAL: Final = "10s"
_NAME: Final = "prometheus"
_NAMESPACE: Final = "default"
_RBAC: Final = "rbac.authorization.k8s.io"
_ROLE: Final = {"name": _NAME, "namespace": SYSTEM_NAMESPACE}
MAY_LIST_PODS: Final[tuple[dict[str, Any], ...]] = (
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NAME, "namespace": _NAMESPACE}},
    {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": _ROLE,
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
    },
    {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _ROLE,
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": _NAME},
        "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": _NAMESPACE}],
    },
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel: its name in the legend, and its points."""

    name: str
    points: tuple[Point, ...]


@contextmanager
def watching(folder: Path, control_plane: ControlPlane) -> Iterator[Prometheus]:
    """A Prometheus with Parkade's alerts that scrapes every pod of the release, as long as the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    control_plane.kubectl.apply(*MAY_LIST_PODS)
    token = TokenFile(folder / "token", _NAME, _NAMESPACE)
    refresher = TokenRefresher(control_plane, (token,))
    refresher.start()
    try:
        pods = pod_scrape(control_plane.server, control_plane.ca_file, token.path, SYSTEM_NAMESPACE)
        with Prometheus(folder, ensure_tools(PROMETHEUS), [pods], [ALERTS]) as prometheus:
            yield prometheus
    finally:
        refresher.stop()


def lines(prometheus: Prometheus, panel: Panel, seconds: float) -> list[Line]:
    """What *panel* shows of the last *seconds*."""
    return [line for query in panel.queries for line in _lines(prometheus, query, seconds)]


def _lines(prometheus: Prometheus, query: Query, seconds: float) -> Iterator[Line]:
    for series in prometheus.query_range(as_asked(query.expr), seconds):
        yield Line(_named(query.legend, series.labels), series.points)


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend)


def as_asked(expr: str) -> str:
    """The expression as Grafana would send it for scrapes every second."""
    return expr.replace("$__rate_interval", RATE_INTERVAL)
