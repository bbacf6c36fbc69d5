"""Generated files are committed as they are generated."""

import subprocess
from pathlib import Path


def test_generated_files_are_current(root: Path, tmp_path: Path) -> None:
    """Generating stubs, CRDs, the dashboard and the page of metrics anew gives the committed bytes."""
    subprocess.run([root / "hack" / "generate.sh", tmp_path], check=True, capture_output=True)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    stale = [
        str(path.relative_to(tmp_path))
        for path in made
        if not (root / path.relative_to(tmp_path)).exists()
        or path.read_bytes() != (root / path.relative_to(tmp_path)).read_bytes()
    ]
    assert made
    assert not stale, "run `make generate`"
