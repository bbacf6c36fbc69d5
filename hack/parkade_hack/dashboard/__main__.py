"""`python -m parkade_hack.dashboard FOLDER`: writes dashboard.json there."""

import sys
from pathlib import Path

from parkade_hack.dashboard.grafana import dashboard_json


def main() -> None:
    """Writes the file."""
    (Path(sys.argv[1]) / "dashboard.json").write_text(dashboard_json())


if __name__ == "__main__":
    main()
