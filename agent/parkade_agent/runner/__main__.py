"""`parkade-runner`: the loop of one slot, until SIGTERM.

Exit codes: 0 stopped as told; 1 the agent or the sidecar is lost; 2 wrong settings.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

import grpc

from parkade_agent.runner.loop import AgentLostError, Runner, SidecarLostError
from parkade_agent.runner.settings import Settings
from parkade_api.settings import load

# A sidecar that crashed is back within a second; gRPC's default would look for it after up to two minutes.
_RECONNECT: Final = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000))


def main() -> None:
    """Connects both sockets and runs shards."""
    settings = load(Settings, "parkade-runner")
    try:
        asyncio.run(_run(settings))
    except (AgentLostError, SidecarLostError) as error:
        sys.exit(f"parkade-runner: {error}")


async def _run(settings: Settings) -> None:
    async with (
        _channel(settings.agent_socket) as agent,
        _channel(settings.sidecar_socket) as sidecar,
    ):
        runner = Runner(agent, sidecar, settings.slot_secret.get_secret_value())
        work = asyncio.create_task(runner.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            print("stopped", flush=True)  # noqa: T201 - the pod's log


def _channel(socket: Path) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{socket}", options=_RECONNECT)


if __name__ == "__main__":
    main()
