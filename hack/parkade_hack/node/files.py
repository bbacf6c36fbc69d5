"""Files that the API server fills: what a volume holds, and its folder, changed as a whole."""

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parkade_core.kubelet.pod import Object
from parkade_hack.node.environment import field
from parkade_hack.node.objects import Lookup, NotThere, Ref, optional_values

_FILE_MODE = 0o600
_CURRENT = "..data"


@dataclass(frozen=True, slots=True)
class TokenWish:
    """A token that a volume asks for: its file, its audience ("" for the API server) and its life in seconds."""

    path: str
    audience: str
    seconds: int


def is_filled(volume: Object) -> bool:
    """Whether the API server says what the volume holds."""
    return any(kind in volume for kind in ("projected", "secret", "configMap", "downwardAPI"))


def token_wishes(volume: Object) -> list[TokenWish]:
    """The tokens that *volume* holds."""
    sources = (
        source.get("serviceAccountToken") for source in volume.get("projected", {}).get("sources") or []
    )
    return [
        TokenWish(token["path"], token.get("audience", ""), token.get("expirationSeconds", 3600))
        for token in sources
        if token
    ]


def files_of(pod: Object, volume: Object, lookup: Lookup, pod_ip: str, host_ip: str) -> dict[str, bytes]:
    """All files of *volume* but its tokens, by path. Raises NotThere."""
    if "projected" in volume:
        files: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or []:
            files |= _source_files(pod, source, lookup, pod_ip, host_ip)
        return files
    renamed = volume
    if "secret" in volume:
        secret = volume["secret"]
        renamed = {"secret": secret | {"name": secret["secretName"]}}
    return _source_files(pod, renamed, lookup, pod_ip, host_ip)


def _source_files(pod: Object, source: Object, lookup: Lookup, pod_ip: str, host_ip: str) -> dict[str, bytes]:
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or []
        return {
            item["path"]: field(pod, item["fieldRef"]["fieldPath"], pod_ip, host_ip).encode()
            for item in items
        }
    for kind, key in (("secrets", "secret"), ("configmaps", "configMap")):
        if key in source:
            ref = Ref(kind, pod["metadata"]["namespace"], source[key]["name"])
            return _chosen(
                source[key], optional_values(ref, lookup, optional=source[key].get("optional", False))
            )
    return {}


def _chosen(source: Object, values: Mapping[str, bytes]) -> dict[str, bytes]:
    items = source.get("items")
    if not items:
        return dict(values)
    if missing := [item["key"] for item in items if item["key"] not in values]:
        if source.get("optional", False):
            items = [item for item in items if item["key"] in values]
        else:
            raise NotThere(f"{source['name']} has no key {missing[0]}")
    return {item["path"]: values[item["key"]] for item in items}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Makes *folder* hold exactly *files*; a reader sees all of the old ones or all of the new ones.

    As a kubelet does it: the names are links through `..data`, which one rename moves to the new files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    version = folder / f"..{secrets.token_hex(8)}"
    version.mkdir()
    for name, content in files.items():
        place = version / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=_FILE_MODE)
        place.write_bytes(content)
    moving = folder / f"{_CURRENT}.new"
    moving.symlink_to(version.name)
    moving.replace(folder / _CURRENT)
    _tidy(folder, {Path(name).parts[0] for name in files}, version)


def _tidy(folder: Path, names: set[str], version: Path) -> None:
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{_CURRENT}/{name}")
    for place in folder.iterdir():
        if place.name.startswith("..") and place.name != _CURRENT and place != version:
            shutil.rmtree(place)
        elif place.name != _CURRENT and place != version and place.name not in names:
            place.unlink()
