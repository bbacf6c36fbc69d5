"""A Prometheus of our own on loopback: what it scrapes, and what it answers."""

import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from parkade_hack.processes import Program, Supervisor, free_port, plain_environment
from parkade_hack.tools import Tools

SCRAPE_SECONDS: Final = 1
READY_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 30.0
_NAME: Final = "prometheus"
_POD: Final = "__meta_kubernetes_pod"

Scrape = dict[str, Any]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and its (Unix time, value)s, oldest first."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


class QueryRefused(Exception):
    """Prometheus cannot answer; the message is its own."""


class Prometheus:
    """A context manager: inside it Prometheus scrapes every second and answers; *rules* are files of alerts."""

    def __init__(
        self, folder: Path, tools: Tools, scrapes: Sequence[Scrape], rules: Sequence[Path] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._supervisor = Supervisor(folder / "logs")
        config = folder / "prometheus.yaml"  # JSON is YAML
        config.write_text(json.dumps(_config(scrapes, rules), indent=2))
        flags = {
            "config.file": config,
            "storage.tsdb.path": folder / "data",
            "web.listen-address": f"127.0.0.1:{self.port}",
            "log.level": "warn",
        }
        command = (tools.path(_NAME), *(f"--{flag}={value}" for flag, value in flags.items()))
        self._program = Program(_NAME, command, plain_environment())

    def __enter__(self) -> Self:
        try:
            self._supervisor.start(self._program)
            self._supervisor.wait_until(_NAME, self._is_ready, READY_SECONDS)
        except BaseException:
            self._supervisor.stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.stop_all()

    def query(self, expr: str) -> list[Series]:
        """What *expr* is now. Raises QueryRefused."""
        answer = self._get("query", query=expr)
        return [_series(item, [item["value"]]) for item in answer["result"]]

    def query_range(self, expr: str, seconds: float, step: float = 1.0) -> list[Series]:
        """What *expr* was during the last *seconds*, up to and including now. Raises QueryRefused."""
        end = time.time()
        # Points are counted from the start: only whole steps bring the last one to the end.
        start = end - step * math.ceil(seconds / step)
        answer = self._get("query_range", query=expr, start=f"{start}", end=f"{end}", step=f"{step}")
        return [_series(item, item["values"]) for item in answer["result"]]

    def targets(self) -> dict[str, str]:
        """Every address that is scraped, with its health: up, down or unknown."""
        return {item["scrapeUrl"]: item["health"] for item in self._get("targets")["activeTargets"]}

    def rules(self) -> list[dict[str, Any]]:
        """Every alert with its health and state."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=1):
                return True
        except OSError:
            return False

    def _get(self, what: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryRefused(f"{parameters}: {error.read().decode()}") from None


def pod_scrape(server: str, ca_file: Path, token_file: Path, namespace: str) -> Scrape:
    """Scrapes every pod of *namespace* that names a port `metrics`, found with a ServiceAccount's token."""
    return {
        "job_name": "pods",
        "kubernetes_sd_configs": [
            {
                "role": "pod",
                "api_server": server,
                "namespaces": {"names": [namespace]},
                "tls_config": {"ca_file": str(ca_file)},
                "authorization": {"credentials_file": str(token_file)},
            }
        ],
        "relabel_configs": [
            _keep(f"{_POD}_container_port_name", "metrics"),
            _keep(f"{_POD}_phase", "Running"),
            _copy(f"{_POD}_label_app_kubernetes_io_component", "component"),
            _copy(f"{_POD}_name", "pod"),
        ],
    }


def _config(scrapes: Sequence[Scrape], rules: Sequence[Path]) -> dict[str, Any]:
    every = f"{SCRAPE_SECONDS}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(path.resolve()) for path in rules],
        "scrape_configs": list(scrapes),
    }


def _keep(label: str, value: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": value, "action": "keep"}


def _copy(label: str, to: str) -> dict[str, Any]:
    return {"source_labels": [label], "target_label": to}


def _series(item: dict[str, Any], points: Sequence[tuple[float, str]]) -> Series:
    return Series(item["metric"], tuple((float(at), float(value)) for at, value in points))
