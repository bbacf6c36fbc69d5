"""Reads vehicles, slots and batches from the API server that the kubeconfig names."""

from typing import Any, Protocol

import orjson
from kubernetes import client, config

from parkade_api.wellknown import GROUP, LABEL_BATCH, LABEL_VEHICLE, VERSION
from parkade_cli.snapshot import Snapshot, summarize

REQUEST_SECONDS = 10.0


class Cluster(Protocol):
    """Whoever can say how vehicles and batches are."""

    def snapshot(self) -> Snapshot:
        """What is true now."""


class ApiServer:
    """The API server, read with the rights of the kubeconfig's user."""

    def __init__(self, kubeconfig: str | None = None) -> None:
        api: client.ApiClient = config.new_client_from_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig
        )
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)

    def snapshot(self) -> Snapshot:
        """Vehicles, running slots and batches of all namespaces. Raises the client's errors."""
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
