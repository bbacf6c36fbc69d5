"""Takes the programs that are already here, each on its own, before anything is built."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from parkade_hack.tools.build import build_missing
from parkade_hack.tools.catalogue import CONTROL_PLANE, Module, Tool, Tools
from parkade_hack.tools.errors import ToolsError
from parkade_models.cache import cache_folder

__all__ = ["ToolsError", "build_folder", "ensure_tools", "fitting_tools"]

VERSION_SECONDS = 20.0
KEY_CHARACTERS = 16


def ensure_tools(module: Module = CONTROL_PLANE) -> Tools:
    """The programs of *module*, each from KUBEBUILDER_ASSETS, from PATH, or built into the cache.

    Raises ToolsError with the cure when Go is needed and missing, too old, or fails.
    """
    found: dict[str, Path] = {}
    for search_path in (os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("PATH", os.defpath)):
        if search_path:
            found = fitting_tools(search_path, module) | found
    missing = [tool for tool in module.tools if tool.name not in found]
    return Tools(found | (_built(module, missing) if missing else {}))


def fitting_tools(search_path: str, module: Module = CONTROL_PLANE) -> dict[str, Path]:
    """Those of the module's programs that are on *search_path* and have the pinned minor version."""
    places = {tool: shutil.which(tool.name, path=search_path) for tool in module.tools}
    return {tool.name: Path(place) for tool, place in places.items() if place and _fits(tool, place)}


def _fits(tool: Tool, place: str) -> bool:
    try:
        answer = subprocess.run(
            [place, *tool.version_arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tool.version_mark in answer.stdout


def _built(module: Module, missing: Sequence[Tool]) -> dict[str, Path]:
    go = shutil.which("go")
    if go is None:
        names = ", ".join(tool.name for tool in missing)
        raise ToolsError(
            f"no {names} for {module.version} on this machine and no Go to build it: install Go"
            f" {_needed_go(module)} or newer, or point KUBEBUILDER_ASSETS at a folder with what is missing"
        )
    folder = build_folder(module, _go_version(module, go))
    build_missing(module, missing, folder, go)
    return {tool.name: folder / tool.name for tool in missing}


def build_folder(module: Module, go_version: str) -> Path:
    """The cache folder of these sources, these flags and this compiler."""
    digest = hashlib.sha256()
    for part in ((module.folder / "go.mod").read_bytes(), (module.folder / "go.sum").read_bytes()):
        digest.update(hashlib.sha256(part).digest())
    digest.update(f"{module.ldflags}{module.tags} {go_version}".encode())
    return cache_folder() / module.name / digest.hexdigest()[:KEY_CHARACTERS]


def _go_version(module: Module, go: str) -> str:
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        cwd=module.folder,
        env=os.environ | {"GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    version = answer.stdout.strip()
    needed = _needed_go(module)
    if _numbers(version) < _numbers(needed):
        raise ToolsError(f"{go} is {version or 'unusable'}: {module.title} needs Go {needed} or newer")
    return version


def _needed_go(module: Module) -> str:
    match = re.search(r"^go (\S+)$", (module.folder / "go.mod").read_text(), re.MULTILINE)
    return match[1] if match else "1.26.0"


def _numbers(version: str) -> tuple[int, ...]:
    match = re.search(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
