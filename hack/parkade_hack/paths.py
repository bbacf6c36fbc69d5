"""Where the repository and the caches lie: the only places that hack reads from and writes to."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
GO_MODULE: Final = ROOT / "hack" / "controlplane"
MANIFESTS: Final = ROOT / "hack" / "manifests"
CRDS: Final = ROOT / "crds"
EXAMPLES: Final = ROOT / "examples"
RUNS: Final = ROOT / ".run"


def cache_folder() -> Path:
    """The folder of everything that is built or made once: PARKADE_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("PARKADE_CACHE"):
        return Path(chosen)
    user_cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(user_cache) / "parkade"
