"""docs/models.md leads from an ONNX file to a signed bundle: its own lines, typed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.float32 import write_float32

pytestmark = pytest.mark.long(15)
KUBECTL = '#!/bin/sh\ntest "$1" = parkade && shift && exec "{python}" -m parkade_cli "$@"\n'
"""What kubectl does with a plugin on the PATH."""


def lines_of(page: Path) -> list[str]:
    """What the page has its reader type."""
    block = re.search(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    assert block is not None
    return [line.removeprefix("$ ") for line in block[1].splitlines()]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the keys")
def test_the_page_leads_to_a_signed_bundle(root: Path, tmp_path: Path) -> None:
    """Every line succeeds, the last one prints the digest that the search has told."""
    write_float32(tmp_path)
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(KUBECTL.format(python=sys.executable))
    kubectl.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", "\n".join(lines_of(root / "docs" / "models.md"))],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{kubectl.parent}:{os.environ['PATH']}", "EDITOR": "true"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    digest = done.stdout.split()[-1]
    assert f"Wrote bundle: {digest}" in done.stdout
    assert "signed with the key publisher.pem" in done.stdout
    assert (tmp_path / "search.svg").exists()
