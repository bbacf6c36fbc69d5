"""`parkade-simulation`: one simulated vehicle that enrols with its pod's ServiceAccount, until SIGTERM.

Its Node is labelled parkade.dev/simulated=true by the gateway; everything else is the ordinary agent.
Exit codes: 0 stopped as told; 2 wrong settings; 70 the guard failed.
"""

import asyncio

from parkade_agent import settings as agent
from parkade_agent.identity.credentials import ServiceAccount
from parkade_agent.life import live
from parkade_agent.simulation.script import write_parked
from parkade_agent.simulation.settings import Settings
from parkade_api.logs import configure_logs
from parkade_api.settings import load


def main() -> None:
    """Runs one simulated vehicle."""
    configure_logs("simulation")
    settings = load(Settings, "parkade-simulation")
    credential = ServiceAccount(
        settings.service_account_token_file, settings.enrolment_address, settings.door_ca_file
    )
    asyncio.run(live(_agent_settings(settings), credential))


def _agent_settings(settings: Settings) -> agent.Settings:
    script = settings.state_dir / "signals.jsonl"
    write_parked(script)
    return agent.Settings(
        listen_address=settings.listen_address,
        metrics_port=settings.metrics_port,
        door_address=settings.door_address,
        door_ca_file=settings.door_ca_file,
        signals_file=script,
        state_dir=settings.state_dir,
        cpu_share=settings.cpu_share,
        lanes=settings.lanes,
    )


if __name__ == "__main__":
    main()
