"""`parkade-simulation`: simulated vehicles that enrol with their pod's ServiceAccount, until SIGTERM.

Their Nodes are labelled parkade.dev/simulated=true by the gateway; everything else is the ordinary agent.
Exit codes: 0 stopped as told; 2 wrong settings; 70 a guard failed.
"""

import asyncio

from parkade_agent.simulation.fleet import live_all
from parkade_agent.simulation.settings import Settings
from parkade_api.logs import configure_logs
from parkade_api.settings import load


def main() -> None:
    """Runs as many simulated vehicles as the settings say."""
    configure_logs("simulation")
    asyncio.run(live_all(load(Settings, "parkade-simulation")))


if __name__ == "__main__":
    main()
