"""The agent of one vehicle as a process.

Exit codes: 0 stopped as told; 2 wrong settings, no identity and no way to one, or another agent on this state folder;
70 the guard failed.
"""

import asyncio
import sys

from parkade_agent.errors import NoIdentity
from parkade_agent.identity.credentials import TokenFile
from parkade_agent.life import live
from parkade_agent.owner.presence import AlreadyRunning
from parkade_agent.settings import Settings
from parkade_api.settings import EXIT_SETTINGS, load


def main() -> None:
    """Runs the agent until SIGTERM."""
    settings = load(Settings, "parkade-agent")
    token_file = settings.enrolment_token_file
    try:
        asyncio.run(live(settings, TokenFile(token_file) if token_file else None))
    except (NoIdentity, AlreadyRunning) as error:
        sys.stderr.write(f"parkade-agent: {error}\n")
        sys.exit(EXIT_SETTINGS)
