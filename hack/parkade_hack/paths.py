"""Where things lie in the repository."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts" / "parkade"
CRDS: Final = ROOT / "crds"
EXAMPLES: Final = ROOT / "examples"
RUNS: Final = ROOT / ".run"
