"""Reads vehicles, slots and batches from the API server that the kubeconfig names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import orjson
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from parkade_api.wellknown import GROUP, LABEL_BATCH, LABEL_VEHICLE, VERSION
from parkade_cli.snapshot import Snapshot, summarize

REQUEST_SECONDS = 10.0


class ClusterError(Exception):
    """The cluster cannot be asked or does not answer; the message says why."""


class Cluster(Protocol):
    """Whoever can say how vehicles and batches are."""

    def snapshot(self) -> Snapshot:
        """What is true now. Raises ClusterError."""


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (ApiException, ConfigException, HTTPError) as error:
        raise ClusterError(f"the cluster does not answer: {error}") from error


class ApiServer:
    """The API server, read with the rights of the kubeconfig's user. Raises ClusterError without a kubeconfig."""

    def __init__(self, kubeconfig: str | None = None) -> None:
        with _errors():
            api: client.ApiClient = config.new_client_from_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig
            )
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)

    def snapshot(self) -> Snapshot:
        """Vehicles, running slots and batches of all namespaces. Raises ClusterError."""
        with _errors():
            nodes = self._items(self._core.list_node, label_selector=LABEL_VEHICLE)
            pods = self._items(self._core.list_pod_for_all_namespaces, label_selector=LABEL_BATCH)
            batches: Any = self._custom.list_cluster_custom_object(
                GROUP, VERSION, "inferencebatches", _request_timeout=REQUEST_SECONDS
            )
        return summarize(nodes, pods, batches["items"])

    def _items(self, call: Any, **arguments: str) -> list[dict[str, Any]]:
        reply = call(**arguments, _preload_content=False, _request_timeout=REQUEST_SECONDS)
        items: list[dict[str, Any]] = orjson.loads(reply.data)["items"]
        return items
