"""The Secrets and ConfigMaps that a pod names: which they are, and what they hold."""

import base64
from collections.abc import Callable, Iterator
from typing import NamedTuple

from parkade_core.kubelet.pod import Object


class Ref(NamedTuple):
    """One object: `secrets` or `configmaps`, its namespace and its name."""

    kind: str
    namespace: str
    name: str


class NotThere(Exception):
    """The pod needs what is not there yet; the text says what."""


Lookup = Callable[[Ref], Object | None]

_ENV_KEYS = {"secretKeyRef": "secrets", "configMapKeyRef": "configmaps"}
_ENV_FROM = {"secretRef": "secrets", "configMapRef": "configmaps"}


def references(pod: Object) -> set[Ref]:
    """Every Secret and ConfigMap that the environment or the volumes of *pod* name."""
    namespace = pod["metadata"]["namespace"]
    containers = pod["spec"]["containers"]
    sources = [source for container in containers for source in _sources_of(container)]
    for volume in pod["spec"].get("volumes") or []:
        sources.extend(_volume_sources(volume))
    return {Ref(kind, namespace, name) for kind, name in sources}


def _sources_of(container: Object) -> Iterator[tuple[str, str]]:
    for variable in container.get("env") or []:
        for key, kind in _ENV_KEYS.items():
            if source := variable.get("valueFrom", {}).get(key):
                yield kind, source["name"]
    for every in container.get("envFrom") or []:
        yield from ((kind, every[key]["name"]) for key, kind in _ENV_FROM.items() if key in every)


def _volume_sources(volume: Object) -> Iterator[tuple[str, str]]:
    if "secret" in volume:
        yield "secrets", volume["secret"]["secretName"]
    if "configMap" in volume:
        yield "configmaps", volume["configMap"]["name"]
    for source in volume.get("projected", {}).get("sources") or []:
        if "secret" in source:
            yield "secrets", source["secret"]["name"]
        if "configMap" in source:
            yield "configmaps", source["configMap"]["name"]


def values_of(ref: Ref, found: Object | None) -> dict[str, bytes]:
    """The data of a Secret or ConfigMap by key. Raises NotThere when there is no such object."""
    if found is None:
        raise NotThere(f"{ref.kind.removesuffix('s')} {ref.name} does not exist")
    if ref.kind == "secrets":
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
    return {key: value.encode() for key, value in (found.get("data") or {}).items()} | binary


def optional_values(ref: Ref, lookup: Lookup, *, optional: bool) -> dict[str, bytes]:
    """The same; nothing when the object is not there and need not be."""
    found = lookup(ref)
    return {} if found is None and optional else values_of(ref, found)
