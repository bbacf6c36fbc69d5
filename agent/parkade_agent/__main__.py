"""`parkade-agent`: identity, signals, guard, session and one slot, until SIGTERM; with a verb, what the owner asks.

What is imported stays in the vehicle's memory, so each of the two imports its own.
"""

import sys

from parkade_agent.footprint import leave_out


def main() -> None:
    """Does what the owner asks in a verb, or without one runs the agent of one vehicle."""
    leave_out("rich")  # structlog would take it up for colours on terminals; our log is JSON
    from parkade_api.logs import configure_logs

    configure_logs("agent")
    if sys.argv[1:] and not sys.argv[1].startswith("-"):
        from parkade_agent.owner import command

        sys.exit(command.main(sys.argv[1:]))
    from parkade_agent import process

    process.main()


if __name__ == "__main__":
    main()
