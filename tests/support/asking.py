"""One request to the API server with a ServiceAccount's own token, as a dry run: judged in full, never kept."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from parkade_hack.controlplane import ControlPlane

TYPES = {"PATCH": "application/merge-patch+json", "APPLY": "application/apply-patch+yaml"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP status, and the API server's sentence when it refused."""

    code: int
    message: str = ""


class Asker:
    """Somebody with a token."""

    def __init__(self, control_plane: ControlPlane, service_account: str, namespace: str) -> None:
        self._server = control_plane.server
        self._token = control_plane.token(service_account, namespace)
        trust = ssl.create_default_context(cafile=str(control_plane.ca_file))
        direct = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust), direct)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """What the API server says to *method* on *path*; a PATCH is a merge patch, an APPLY a server-side apply."""
        query = ("&" if "?" in path else "?") + "dryRun=All" if method != "GET" else ""
        query += "&fieldManager=asker" if method == "APPLY" else ""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": TYPES.get(method, "application/json"),
        }
        data = None if body is None else json.dumps(body).encode()
        verb = "PATCH" if method == "APPLY" else method
        request = urllib.request.Request(self._server + path + query, data, headers, method=verb)  # noqa: S310
        try:
            with self._opener.open(request, timeout=10) as reply:
                return Answer(reply.status)
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.loads(error.read()).get("message", ""))
