"""Tells whoever waits that something changed."""

import asyncio


class Changes:
    """Tells any number of waiters that something changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wakes everybody who waits."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Returns after the next change."""
        await self._event.wait()
