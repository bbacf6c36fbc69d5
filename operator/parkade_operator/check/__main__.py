"""`parkade-check`, which `helm test` runs: does this release work? One line a question, with the cure.

Exit codes: 0 all is well; 1 something failed for longer than its patience; 2 wrong settings.
"""

import asyncio
import sys
import time

from parkade_api.settings import load
from parkade_core.check import Finding
from parkade_operator.check.look import Look
from parkade_operator.check.settings import Settings
from parkade_operator.kube.client import Access, KubeClient
from parkade_operator.kube.errors import KubeError

_PAUSE_SECONDS = 1.0


def main() -> None:
    """Looks until all is well or patience is over, prints what was found last, and ends."""
    findings = asyncio.run(_look_patiently(load(Settings, "parkade-check")))
    for finding in findings:
        sys.stdout.write(f"{finding.line}\n")
    sys.exit(0 if all(finding.is_well for finding in findings) else 1)


async def _look_patiently(settings: Settings) -> list[Finding]:
    client = KubeClient(Access())
    look, deadline = Look(client, settings), time.monotonic() + settings.patience_seconds
    try:
        while True:
            findings = await _findings(look)
            if all(finding.is_well for finding in findings) or time.monotonic() > deadline:
                return findings
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        await client.close()


async def _findings(look: Look) -> list[Finding]:
    try:
        return await look.findings()
    except KubeError as error:
        return [Finding("API server", False, f"{error}")]


if __name__ == "__main__":
    main()
