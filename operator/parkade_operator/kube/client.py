"""A small asynchronous client for plain dict bodies, on the connection pool and TLS of `kubernetes.aio`."""

import json
import os
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from http.client import responses
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parkade_operator.kube.errors import KubeError, error_of
from parkade_operator.kube.metrics import count_request

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

# The server ends a watch a little before our own limit would break it.
_WATCH_SECONDS = 300
_WATCH_LIMIT_SECONDS = 330

# What is parsed at once holds up everything else.
_PAGE_OBJECTS = 250

# A watch hears a bookmark about every minute; a connection that is silent for longer is dead.
_SILENT_SECONDS = 90.0
_IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def _server_of_pod() -> str:
    """The API server as every pod is told it, in variables of the kubelet."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return "https://kubernetes.default.svc"
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


class Access(BaseSettings):
    """Where the API server is and who we are; the defaults are those of a pod."""

    model_config = SettingsConfigDict(env_prefix="PARKADE_KUBE_", frozen=True)

    server: str = Field(
        default_factory=_server_of_pod,
        description="URL of the API server; default: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT.",
    )
    ca_file: Path = Field(
        default=_IN_POD / "ca.crt", description="Certificates that the API server is checked by."
    )
    token_file: Path = Field(
        default=_IN_POD / "token", description="Token of our ServiceAccount; read at every request."
    )
    cert_file: Path | None = Field(
        default=None, description="Client certificate that says who we are instead of a token."
    )
    key_file: Path | None = Field(default=None, description="Its private key.")

    def token(self) -> str:
        """The token as it is now: it is rotated by writing the file anew."""
        return self.token_file.read_text().strip()

    def headers(self) -> dict[str, str]:
        """Says who we are, unless the client certificate does."""
        return {} if self.cert_file else {"Authorization": f"Bearer {self.token()}"}


class KubeClient:
    """Requests to the API server; every refusal is a KubeError."""

    def __init__(self, access: Access) -> None:
        self._access = access
        configuration = Configuration(host=access.server, ssl_ca_cert=str(access.ca_file))
        if access.cert_file and access.key_file:
            configuration.cert_file, configuration.key_file = str(access.cert_file), str(access.key_file)
        self._rest = RESTClientObject(configuration)

    async def close(self) -> None:
        """Ends all connections."""
        await self._rest.close()

    async def get(self, path: str, **query: str) -> Object:
        """The object at *path*, or a list."""
        return await self._send("GET", path, None, "application/json", query)

    async def pages(self, path: str, **selectors: str) -> AsyncIterator[Object]:
        """The collection at *path* as it is at one moment, a list of some hundred objects at a time.

        Raises Gone when the server has forgotten that moment before the last page.
        """
        query = selectors | {"limit": str(_PAGE_OBJECTS)}
        while True:
            page = await self.get(path, **query)
            yield page
            if not (rest := page["metadata"].get("continue")):
                return
            query["continue"] = rest

    async def create(self, path: str, body: Object) -> Object:
        """Creates *body* in the collection at *path*. Raises Conflict when it exists."""
        return await self._send("POST", path, body, "application/json", {})

    async def patch(self, path: str, body: Object, content_type: str, **query: str) -> Object:
        """Patches the object at *path*; *content_type* is MERGE, STRATEGIC or APPLY."""
        return await self._send("PATCH", path, body, content_type, query)

    async def delete(self, path: str, *, uid: str | None = None, grace_seconds: int | None = None) -> None:
        """Deletes the object at *path*. Raises Conflict when it has another uid, NotFound when it is gone."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        await self._send("DELETE", path, options, "application/json", {})

    async def watch(self, path: str, resource_version: str, **query: str) -> AsyncIterator[Object]:
        """Watch events from *resource_version* on, until the server ends the watch. Raises Gone."""
        query |= {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        response = await self._open(
            "GET", path, None, "application/json", query, seconds=_WATCH_LIMIT_SECONDS
        )
        try:
            while line := await response.response.content.readline():
                event: Object = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise error_of(status.get("code", 0), status.get("reason", ""), status.get("message", ""))
                yield event
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise error_of(0, "WatchBroken", str(error)) from error
        finally:
            response.response.close()

    async def _send(
        self, method: str, path: str, body: Object | None, content_type: str, query: dict[str, str]
    ) -> Object:
        response = await self._open(method, path, body, content_type, query, seconds=30)
        try:
            answer: Object = json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise error_of(0, "NoAnswer", str(error)) from error
        return answer

    async def _open(
        self,
        method: str,
        path: str,
        body: Object | None,
        content_type: str,
        query: dict[str, str],
        seconds: float,
    ) -> Any:
        url = f"{self._access.server}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._access.headers() | {"Content-Type": content_type, "Accept": "application/json"}
        limits = aiohttp.ClientTimeout(total=seconds, sock_read=_SILENT_SECONDS)
        begun, status = time.perf_counter(), 0
        try:
            response = await self._rest.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=limits
            )
            refusal = await response.read() if response.status >= HTTPStatus.BAD_REQUEST else None
            status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise error_of(0, "Unreachable", str(error) or type(error).__name__) from error
        finally:
            verb = "WATCH" if "watch" in query else method
            count_request(verb, status, time.perf_counter() - begun)
        if refusal is not None:
            raise _refused(response.status, refusal)
        return response


def _refused(code: int, body: bytes) -> KubeError:
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict):
        return error_of(code, status.get("reason", ""), status.get("message", ""))
    return error_of(code, responses.get(code, ""), body.decode(errors="replace"))
