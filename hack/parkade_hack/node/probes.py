"""Asks one probe of a running container over and over, until its answer ends the asking."""

import asyncio
from collections.abc import Callable

import aiohttp

from parkade_core.kubelet.pod import Object
from parkade_hack.node.restarts import Streak, verdict

OnVerdict = Callable[[bool], bool]
_OK, _REDIRECTED = 200, 400


async def ask_until(probe: Object, container: Object, address: str, on_verdict: OnVerdict) -> bool:
    """Calls *on_verdict* whenever a threshold is reached; returns that verdict when it says so."""
    url = _url(probe, container, address)
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    streak = Streak()
    limit = aiohttp.ClientTimeout(total=probe.get("timeoutSeconds", 1))
    once = aiohttp.TCPConnector(force_close=True)  # as a kubelet does it: one connection a question
    async with aiohttp.ClientSession(timeout=limit, connector=once) as session:
        while True:
            streak = streak.then(outcome=await _answers(session, url, probe))
            said = verdict(probe, streak)
            if said is not None and on_verdict(said):
                return said
            await asyncio.sleep(probe.get("periodSeconds", 10))


def _url(probe: Object, container: Object, address: str) -> str:
    get = probe["httpGet"]
    scheme = get.get("scheme", "HTTP").lower()
    return (
        f"{scheme}://{get.get('host', address)}:{port_number(container, get['port'])}{get.get('path', '/')}"
    )


def port_number(container: Object, port: int | str) -> int:
    """The number of a container's port, which may be given by its name. Raises KeyError for an unknown name."""
    if isinstance(port, int):
        return port
    return {named.get("name"): int(named["containerPort"]) for named in container.get("ports") or []}[port]


async def _answers(session: aiohttp.ClientSession, url: str, probe: Object) -> bool:
    headers = {header["name"]: header["value"] for header in probe["httpGet"].get("httpHeaders") or []}
    try:
        # A kubelet verifies no certificate of a probe, and follows no redirect.
        async with session.get(url, headers=headers, ssl=False, allow_redirects=False) as response:
            return _OK <= response.status < _REDIRECTED
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
