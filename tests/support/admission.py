"""What the API server says to a manifest: an administrator's requests over one kept connection, quicker than kubectl.

The words are those that kubectl prints behind `Error from server`.
"""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from parkade_api.wellknown import API_VERSION

Object = dict[str, Any]
_PLURALS = {"InferenceBatch": "inferencebatches", "VehiclePool": "vehiclepools"}
_DRY = "dryRun=All&fieldValidation=Strict"


class Admission:
    """Asks the API server of one kubeconfig; nothing is stored unless a method says so."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
        trust.load_cert_chain(user["client-certificate"], user["client-key"])
        url = urlsplit(cluster["server"])
        self._connection = http.client.HTTPSConnection(str(url.hostname), url.port, context=trust, timeout=30)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def refusal(self, manifest: Object, namespace: str) -> str:
        """Why *manifest* is not created; empty when it would be."""
        return self._ask("POST", f"{_path(manifest, namespace)}?{_DRY}", manifest)

    def create(self, manifest: Object, namespace: str) -> str:
        """The same, and it is stored when nothing is wrong with it."""
        return self._ask("POST", f"{_path(manifest, namespace)}?fieldValidation=Strict", manifest)

    def refusal_of_change(self, manifest: Object, namespace: str, spec: Object) -> str:
        """Why the spec of a stored object is not changed by that merge patch; empty when it would be."""
        path = f"{_path(manifest, namespace)}/{manifest['metadata']['name']}?{_DRY}"
        return self._ask("PATCH", path, {"spec": spec}, "application/merge-patch+json")

    def _ask(self, method: str, path: str, body: Object, kind: str = "application/json") -> str:
        self._connection.request(method, path, json.dumps(body), {"Content-Type": kind})
        reply = self._connection.getresponse()
        answer = json.loads(reply.read())
        return str(answer["message"]) if reply.status >= http.HTTPStatus.BAD_REQUEST else ""


def _path(manifest: Object, namespace: str) -> str:
    plural = _PLURALS[manifest["kind"]]
    scope = f"namespaces/{namespace}/" if manifest["kind"] == "InferenceBatch" else ""
    return f"/apis/{API_VERSION}/{scope}{plural}"
