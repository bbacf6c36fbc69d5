"""The API server that the kubeconfig names: vehicles, slots and batches to read, the release's objects to write."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol

import orjson
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from parkade_api.wellknown import GROUP, LABEL_BATCH_UID, LABEL_VEHICLE, VERSION
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


def _api_client(kubeconfig: str | None) -> Any:
    with _errors():
        return config.new_client_from_config(config_file=kubeconfig)  # type: ignore[no-untyped-call]


class ApiServer:
    """The API server, read with the rights of the kubeconfig's user. Raises ClusterError without a kubeconfig."""

    def __init__(self, kubeconfig: str | None = None) -> None:
        api = _api_client(kubeconfig)
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)

    def snapshot(self) -> Snapshot:
        """Vehicles, running slots and batches of all namespaces. Raises ClusterError."""
        with _errors():
            nodes = self._items(self._core.list_node, label_selector=LABEL_VEHICLE)
            pods = self._items(self._core.list_pod_for_all_namespaces, label_selector=LABEL_BATCH_UID)
            batches: Any = self._custom.list_cluster_custom_object(
                GROUP, VERSION, "inferencebatches", _request_timeout=REQUEST_SECONDS
            )
        return summarize(nodes, pods, batches["items"])

    def annotate(self, node: str, annotations: Mapping[str, str | None]) -> bool:
        """Sets annotations of a Node and removes those that are None; False when there is none. Raises ClusterError."""
        body = {"metadata": {"annotations": dict(annotations)}}
        with _errors():
            try:
                self._core.patch_node(node, body, _preload_content=False, _request_timeout=REQUEST_SECONDS)
            except ApiException as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return False
                raise
        return True

    def _items(self, call: Any, **arguments: str) -> list[dict[str, Any]]:
        reply = call(**arguments, _preload_content=False, _request_timeout=REQUEST_SECONDS)
        items: list[dict[str, Any]] = orjson.loads(reply.data)["items"]
        return items


class ReleaseObjects:
    """ConfigMaps and Secrets of one release. All methods raise ClusterError."""

    def __init__(self, namespace: str, kubeconfig: str | None = None) -> None:
        api = _api_client(kubeconfig)
        self._namespace = namespace
        self._core = client.CoreV1Api(api)
        self._version = client.VersionApi(api)

    def config_map(self, name: str) -> Mapping[str, str]:
        """The data of a ConfigMap."""
        data: dict[str, str] = self._data(self._core.read_namespaced_config_map, name)
        return data

    def secret(self, name: str) -> Mapping[str, bytes]:
        """The data of a Secret."""
        data: dict[str, str] = self._data(self._core.read_namespaced_secret, name)
        return {key: base64.b64decode(value) for key, value in data.items()}

    def write_config_map(self, name: str, data: Mapping[str, str]) -> None:
        """Sets some keys of a ConfigMap."""
        self._ask(self._core.patch_namespaced_config_map, name, self._namespace, {"data": dict(data)})

    def write_secret(self, name: str, data: Mapping[str, bytes | None]) -> None:
        """Sets some keys of a Secret, and removes those that are None."""
        body = {
            "data": {
                key: None if value is None else base64.b64encode(value).decode()
                for key, value in data.items()
            }
        }
        self._ask(self._core.patch_namespaced_secret, name, self._namespace, body)

    def now(self) -> datetime:
        """The time by the API server's clock, to the second."""
        return parsedate_to_datetime(self._ask(self._version.get_code).headers["Date"])

    def _data(self, read: Any, name: str) -> Any:
        return orjson.loads(self._ask(read, name, self._namespace).data).get("data") or {}

    def _ask(self, call: Any, *arguments: Any) -> Any:
        with _errors():
            return call(*arguments, _preload_content=False, _request_timeout=REQUEST_SECONDS)
