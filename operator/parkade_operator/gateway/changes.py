"""Tells whoever waits that something changed."""

import asyncio


class Changes:
    """Any number may wait. Take `next` before you look, so that a change after the look is never missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wakes everybody who waits."""
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """What is set at the next change."""
        return self._event
