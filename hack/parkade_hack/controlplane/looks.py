"""Looks at objects of the API server as the user of a kubeconfig, over HTTP.

Who waits looks ten times a second, and a kubectl for each look takes half a core from what is waited for.
"""

import json
import ssl
import urllib.error
import urllib.request
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from parkade_api.wellknown import API_VERSION

LOOK_SECONDS: Final = 30.0
_GROUPS: Final = {
    "inferencebatches": f"apis/{API_VERSION}",
    "leases": "apis/coordination.k8s.io/v1",
    "nodes": "api/v1",
    "pods": "api/v1",
    "vehiclepools": f"apis/{API_VERSION}",
}


def look(kubeconfig: Path, resource: str, name: str, namespace: str, labels: str) -> Any:
    """The object of that *name*, None when there is none; without a name the list of those with *labels*.

    Raises OSError or HTTPException when the API server does not answer, or says no, with its reason.
    """
    server, opener = _open(kubeconfig)
    place = f"{server}/{_GROUPS[resource]}{f'/namespaces/{namespace}' if namespace else ''}/{resource}"
    query = urlencode({"labelSelector": labels}) if labels else ""
    url = f"{place}/{name}" if name else f"{place}?{query}"
    try:
        with opener.open(url, timeout=LOOK_SECONDS) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            if name and error.code == HTTPStatus.NOT_FOUND:
                return None
            raise OSError(f"{error.code}: {_words(error.read())}") from None


def _words(body: bytes) -> str:
    """Why the API server says no: the message of a Status, or plain text from one that is too busy."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, LookupError):
        return body.decode(errors="replace").strip()


def administrator(ca: Path, certificate: Path, key: Path) -> urllib.request.OpenerDirector:
    """Opens URLs of a server that *ca* has signed, as the owner of *certificate*."""
    trust = ssl.create_default_context(cafile=str(ca))
    trust.load_cert_chain(certificate, key)
    direct = urllib.request.ProxyHandler({})  # loopback is never behind a proxy
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust), direct)


@cache
def _open(kubeconfig: Path) -> tuple[str, urllib.request.OpenerDirector]:
    config = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    files = (cluster["certificate-authority"], user["client-certificate"], user["client-key"])
    return cluster["server"], administrator(*map(Path, files))
