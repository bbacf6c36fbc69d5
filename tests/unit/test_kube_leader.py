"""An election as a process stands for it: what it asks and writes, when it ends, and that sleep does not help it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from parkade_operator.kube import leader
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.leader import CandidateSettings, Election
from support.apiserver import ApiServer, serving
from support.controlplane import eventually
from support.objects import Object

ME = "gateway-a"


class Ended(BaseException):
    """The process would have ended here."""


@dataclass
class Watched:
    """A watchman that a test can ask."""

    set_to: list[float] = field(default_factory=list)
    dismissed: int = 0

    def wake_in(self, seconds: float) -> None:
        """Remembers the seconds."""
        self.set_to.append(seconds)

    def dismiss(self) -> None:
        """Counts."""
        self.dismissed += 1

    def end(self, why: str) -> NoReturn:
        """Ends the caller."""
        raise Ended(why)


@dataclass
class Ground:
    """A candidate before an API server that answers as ordered."""

    api: ApiServer
    election: Election
    watchman: Watched
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
async def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    """A candidate that looks and renews without patience."""
    for patience in ("LOOK_SECONDS", "RENEW_SECONDS", "_RETRY_SECONDS"):
        monkeypatch.setattr(leader, patience, 0.01)
    async with serving(tmp_path) as (api, client):
        yield Ground(api, *candidate(client))


def candidate(client: KubeClient) -> tuple[Election, Watched]:
    """One that stands for the gateway's Lease."""
    watchman = Watched()
    return Election(client, CandidateSettings(identity=ME), "parkade-gateway", watchman), watchman


def lease(holder: str = "", version: str = "1", transitions: int = 0) -> Object:
    """A Lease as the API server tells it."""
    spec = {"holderIdentity": holder, "leaseTransitions": transitions, "leaseDurationSeconds": 15}
    return {"metadata": {"resourceVersion": version}, "spec": spec}


def patches(api: ApiServer) -> list[Object]:
    """The spec of every patch that was sent, with the version that it was guarded by."""
    return [
        {"version": body["metadata"]["resourceVersion"]} | body["spec"]
        for _, body in api.requests("PATCH")
        if body
    ]


async def test_a_free_lease_is_taken_renewed_and_let_go(ground: Ground) -> None:
    """Every write is guarded by the version before it; at the end the holder is nobody, and the alarm is off."""
    ground.api.answer(lease(), lease(ME, "2", 1), lease(ME, "3", 1))
    async with ground.election.term(ground.stopping) as leads:
        assert leads
        assert ground.election.is_leading
        while len(ground.api.asked) < 3:
            await ground.api.news()
        ground.api.answer(*[lease(ME, "3", 1)] * 50, lease("", "4", 1))
        assert 5.0 < ground.watchman.set_to[0] <= 10.0
    taken, renewed, *_, released = patches(ground.api)
    assert (taken["version"], taken["holderIdentity"], taken["leaseTransitions"]) == ("1", ME, 1)
    assert set(renewed) == {"version", "renewTime"}
    assert renewed["version"] == "2"
    assert released["holderIdentity"] == ""
    assert (ground.election.is_leading, ground.watchman.dismissed) == (False, 1)


async def test_another_ones_lease_is_only_looked_at(ground: Ground) -> None:
    """A standby writes nothing, and stops at once when it is told to."""
    ground.api.answer(*[lease("gateway-b", "5", 2)] * 500)

    async def stop_after_some_looks() -> None:
        while len(ground.api.asked) < 3:
            await ground.api.news()
        ground.stopping.set()

    stopper = asyncio.create_task(stop_after_some_looks())
    async with ground.election.term(ground.stopping) as leads:
        assert not leads
    await stopper
    assert ground.api.requests("PATCH") == []
    assert ground.watchman.set_to == []


async def test_a_lease_that_is_not_there_is_waited_for(ground: Ground) -> None:
    """An uninstalled release is not brought back: nobody leads and nothing is created, until somebody installs it."""
    ground.api.refuse(404, "NotFound", "no such lease")
    ground.api.refuse(404, "NotFound", "no such lease")
    ground.api.answer(lease(), *[lease(ME, "2", 1)] * 50)
    async with ground.election.term(ground.stopping) as leads:
        assert leads
    assert {verb for verb, *_ in ground.api.asked} == {"GET", "PATCH"}


async def test_a_lost_race_and_a_refusal_are_looked_at_again(ground: Ground) -> None:
    """Neither a conflict nor an API server that is away ends a candidate."""
    ground.api.refuse(503, "ServiceUnavailable", "later")
    ground.api.answer(lease())
    ground.api.refuse(409, "Conflict", "somebody was first")
    ground.api.answer(lease(ME, "7", 3), lease(ME, "8", 4), *[lease(ME, "8", 4)] * 50)
    async with ground.election.term(ground.stopping) as leads:
        assert leads
    assert patches(ground.api)[1]["leaseTransitions"] == 4


async def test_a_renewal_whose_answer_was_lost_is_our_own(ground: Ground) -> None:
    """A conflict is looked into: our own acquisition goes on with the version that is there."""
    ground.api.answer(lease(), lease(ME, "2", 1))
    ground.api.refuse(409, "Conflict", "the object has been modified")
    ground.api.answer(lease(ME, "9", 1), *[lease(ME, "10", 1)] * 50)
    async with ground.election.term(ground.stopping):
        while len(patches(ground.api)) < 3:
            await ground.api.news()
    assert [patch["version"] for patch in patches(ground.api)[:3]] == ["1", "2", "9"]


@pytest.mark.parametrize(
    ("seen", "versions"), [(lease(ME, "9", 1), ["1", "2", "9"]), (lease("gateway-b", "9", 2), ["1", "2"])]
)
async def test_a_renewal_that_landed_late_does_not_keep_the_lease(
    tmp_path: Path, seen: Object, versions: list[str]
) -> None:
    """Whoever steps down and meets its own last renewal releases once more; another's Lease is left alone."""
    async with serving(tmp_path) as (api, client):
        election, watchman = candidate(client)
        api.answer(lease(), lease(ME, "2", 1))
        async with election.term(asyncio.Event()):
            api.refuse(409, "Conflict", "the object has been modified")
            api.answer(seen, lease("", "10", 1))
        assert [patch["version"] for patch in patches(api)] == versions
        assert patches(api)[-1]["holderIdentity"] == ""
        assert watchman.dismissed == 1


@pytest.mark.parametrize(
    "taker", [lease("gateway-b", "9", 2), lease(ME, "9", 2)], ids=["another", "namesake"]
)
async def test_who_finds_the_lease_taken_ends(ground: Ground, taker: Object) -> None:
    """By another process, or by one of the same name that was started anew: the process does not wait for its alarm."""
    ground.api.answer(lease(), lease(ME, "2", 1))
    ground.api.refuse(409, "Conflict", "the object has been modified")
    ground.api.answer(taker)
    await ground.election._win(ground.stopping)
    with pytest.raises(Ended, match="was taken by"):
        await ground.election._keep()


SLEEPER = """
import os, sys, time
from parkade_operator.kube.leader import Alarm
Alarm("gateway").wake_in(float(sys.argv[1]))
while True:
    os.write(1, b"written ")
    time.sleep(0.001)
"""


def test_whoever_sleeps_past_its_deadline_does_nothing_more() -> None:
    """SIGSTOP, the deadline passes, SIGCONT: exit code 1 with one line that says why, and not one more write."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "3.0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 8) == b"written "
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: _state(process.pid) == "T", 5, "the process stands still")
        os.set_blocking(process.stdout.fileno(), False)
        process.stdout.read()
        since = time.monotonic()
        eventually(lambda: time.monotonic() - since > 3.0, 10, "its deadline has passed")
        process.send_signal(signal.SIGCONT)
        assert process.wait(5) == 1
        assert not process.stdout.read()
        assert process.stderr is not None
        assert json.loads(process.stderr.read())["event"] == "leadership lost"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_an_alarm_that_is_set_again_or_dismissed_does_not_ring() -> None:
    """Each renewal buys the full time, and who does not lead may live on."""
    script = """
import time
from parkade_operator.kube.leader import Alarm
alarm = Alarm("gateway")
for _ in range(6):
    alarm.wake_in(4.0)
    time.sleep(0.7)
alarm.dismiss()
time.sleep(3.5)
print("alive")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
