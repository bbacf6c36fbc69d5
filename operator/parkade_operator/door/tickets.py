"""Enrolment tickets in their Secret: each is marked as used before its certificate leaves the gateway."""

import asyncio
import base64
import binascii
import time
from collections.abc import Mapping

import structlog

from parkade_api.wellknown import SECRET_TOKENS
from parkade_core.enrolment import Ticket, judge_ticket, outlived, read_ticket, ticket_key, ticket_text
from parkade_operator.kube.client import MERGE, KubeClient, Object
from parkade_operator.kube.errors import Conflict, KubeError

_SWEEP_SECONDS = 60.0
_log = structlog.get_logger()


class TicketRefused(Exception):
    """The token is good for nothing; the message says why."""


class Tickets:
    """The tickets of one installation."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/secrets/{SECRET_TOKENS}"

    async def redeem(self, secret: str, key_digest: str, revoked: Mapping[str, float]) -> Ticket:
        """The ticket of a token, marked as used by that key; *revoked* are the moments of revoked vehicles.

        Raises TicketRefused, KubeError.
        """
        name = ticket_key(secret)
        while True:
            kept = await self._client.get(self._path)
            ticket = _tickets_in(kept).get(name)
            verdict = judge_ticket(ticket, key_digest, time.time(), revoked)
            if ticket is None or not verdict.accepted:
                raise TicketRefused(verdict.reason)
            try:
                if verdict.mark is not None:
                    await self._write(kept, {name: _encoded(verdict.mark)})
            except Conflict:
                # Somebody else wrote meanwhile, perhaps the same token's other holder: judge anew.
                continue
            return ticket

    async def sweep(self) -> None:
        """Removes tickets that have expired, until cancelled."""
        while True:
            try:
                kept = await self._client.get(self._path)
                if old := outlived(_tickets_in(kept), time.time()):
                    await self._write(kept, dict.fromkeys(old))
                    _log.info("expired enrolment tickets removed", count=len(old))
            except KubeError as error:
                _log.warning("enrolment tickets not swept", error=str(error))
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _write(self, kept: Object, data: Mapping[str, str | None]) -> None:
        version = kept["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "data": dict(data)}
        await self._client.patch(self._path, body, MERGE)


def _tickets_in(secret: Object) -> dict[str, Ticket | None]:
    return {name: _decoded(text) for name, text in (secret.get("data") or {}).items()}


def _decoded(text: str) -> Ticket | None:
    try:
        return read_ticket(base64.b64decode(text))
    except binascii.Error:
        return None


def _encoded(ticket: Ticket) -> str:
    return base64.b64encode(ticket_text(ticket).encode()).decode()
