"""How a process hears that it shall end: SIGTERM of whoever runs it, or Ctrl-C."""

import asyncio
import signal


def told_to_stop() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; called once, inside the event loop."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
