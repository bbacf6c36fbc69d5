"""`parkade-agent`: identity, signals, guard, session and one slot, until SIGTERM; with a verb, what the owner asks.

Exit codes of the agent: 0 stopped as told; 2 wrong settings, no identity and no way to one,
or another agent on this state folder; 70 the guard failed.
"""

import asyncio
import sys

from parkade_agent.errors import NoIdentity
from parkade_agent.identity.credentials import TokenFile
from parkade_agent.life import live
from parkade_agent.owner import command
from parkade_agent.owner.presence import AlreadyRunning
from parkade_agent.settings import Settings
from parkade_api.logs import configure_logs
from parkade_api.settings import EXIT_SETTINGS, load


def main() -> None:
    """Does what the owner asks in a verb, or without one runs the agent of one vehicle."""
    configure_logs("agent")
    if sys.argv[1:] and not sys.argv[1].startswith("-"):
        sys.exit(command.main(sys.argv[1:]))
    settings = load(Settings, "parkade-agent")
    token_file = settings.enrolment_token_file
    try:
        asyncio.run(live(settings, TokenFile(token_file) if token_file else None))
    except (NoIdentity, AlreadyRunning) as error:
        sys.stderr.write(f"parkade-agent: {error}\n")
        sys.exit(EXIT_SETTINGS)


if __name__ == "__main__":
    main()
