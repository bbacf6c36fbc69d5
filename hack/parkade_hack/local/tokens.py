"""Token files of ServiceAccounts, rewritten before they expire, as a kubelet does it for pods."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LIFETIME_SECONDS = 3600
REFRESH_SECONDS = 1800.0
RETRY_SECONDS = 5.0


class TokenSource(Protocol):
    """Whoever answers TokenRequests."""

    def token(
        self, service_account: str, namespace: str, seconds: int = ..., audience: str | None = ...
    ) -> str:
        """A token of *service_account* that lives for *seconds*."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file that always holds a fresh token of one ServiceAccount for one audience."""

    path: Path
    service_account: str
    namespace: str
    audience: str | None = None


class TokenRefresher:
    """Keeps token files fresh from a thread, between `start` and `stop`."""

    def __init__(
        self, source: TokenSource, files: tuple[TokenFile, ...], every: float = REFRESH_SECONDS
    ) -> None:
        self._source = source
        self._files = files
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="token-refresher", daemon=True)

    def start(self) -> None:
        """Writes every file once, then keeps on. Raises what the source raises the first time."""
        self._write_all()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; the files stay until their folder goes."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        pause = self._every
        while not self._stopping.wait(pause):
            try:
                self._write_all()
                pause = self._every
            except Exception:  # noqa: BLE001 - the API server may be away; a token lives twice as long
                pause = RETRY_SECONDS

    def _write_all(self) -> None:
        for file in self._files:
            token = self._source.token(file.service_account, file.namespace, LIFETIME_SECONDS, file.audience)
            unfinished = file.path.with_suffix(".new")
            unfinished.touch(mode=0o600)
            unfinished.write_text(token)
            unfinished.rename(file.path)
