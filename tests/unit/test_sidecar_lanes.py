"""Lanes: as many runs at a time as there are lanes, changed at any moment, and never seen in a result."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parkade_agent.sidecar.errors import TooManyCallsError
from parkade_agent.sidecar.lanes import MOST_WAITING, Lanes
from parkade_models.errors import StoppedError
from parkade_models.session import Session
from parkade_models.tasks.tensor import TensorTask
from support.models import write_bundle
from support.shards import echo_records, echo_task, record, rounds, run_shard, shard_run, spinning_model

SECONDS = 120  # ends a hang; how long it takes is the machine's


class Crowd:
    """Calls that stay in their lane until they are let go, and how many are in one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._here = 0
        self._may_go = 0
        self.most = 0

    def stay(self) -> None:
        """The work of a call: in a lane until `let_go`."""
        with self._changed:
            self._here += 1
            self.most = max(self.most, self._here)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._may_go > 0, SECONDS)
            self._may_go -= 1
            self._here -= 1
            self._changed.notify_all()

    async def wait_for(self, count: int) -> None:
        """Returns when that many are in a lane."""
        await asyncio.to_thread(self._wait, lambda: self._here == count)

    def let_go(self, count: int) -> None:
        """Lets that many leave."""
        with self._changed:
            self._may_go += count
            self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, SECONDS)


@asynccontextmanager
async def _lanes(count: int) -> AsyncIterator[tuple[Lanes, Session]]:
    session = Session(spinning_model(), "spin.onnx")
    lanes = Lanes(session, count)
    try:
        yield lanes, session
    finally:
        await lanes.close()


def _calls(lanes: Lanes, crowd: Crowd, count: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(lanes.call(crowd.stay)) for _ in range(count)]


async def test_no_more_calls_run_than_there_are_lanes() -> None:
    """Of five calls two run on two lanes, and each that ends makes room for one."""
    async with _lanes(2) as (lanes, _):
        crowd = Crowd()
        calls = _calls(lanes, crowd, 5)
        await crowd.wait_for(2)
        crowd.let_go(5)
        await asyncio.gather(*calls)
        assert crowd.most == 2


async def test_a_call_gets_its_answer_or_its_error() -> None:
    """What the work returns or raises reaches the caller, and the lane goes on."""
    async with _lanes(1) as (lanes, _):
        assert await lanes.call(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await lanes.call(lambda: 1 // 0)
        assert await lanes.call(lambda: 8) == 8


async def test_more_lanes_take_waiting_calls_at_once() -> None:
    """Three calls, one lane: with two lanes more all three run together."""
    async with _lanes(1) as (lanes, _):
        crowd = Crowd()
        calls = _calls(lanes, crowd, 3)
        await crowd.wait_for(1)
        change = await lanes.set(3)
        assert (change.before, change.now, change.runs_ended) == (1, 3, 0)
        await crowd.wait_for(3)
        crowd.let_go(3)
        await asyncio.gather(*calls)


async def test_a_lane_too_many_ends_what_it_has_in_hand() -> None:
    """Lowering is answered when the surplus lanes have finished, and the calls that wait run on what is left."""
    async with _lanes(3) as (lanes, _):
        crowd = Crowd()
        calls = _calls(lanes, crowd, 3)
        await crowd.wait_for(3)
        lowering = asyncio.create_task(lanes.set(1))
        crowd.let_go(1)
        await crowd.wait_for(2)
        assert not lowering.done()
        crowd.let_go(2)
        assert (await lowering).before == 3
        await asyncio.gather(*calls)
        crowd.most = 0
        calls = _calls(lanes, crowd, 4)
        crowd.let_go(4)
        await asyncio.gather(*calls)
        assert crowd.most == 1


async def test_no_lanes_end_runs_and_refuse_calls() -> None:
    """With no lanes a run under way, calls that wait and new ones raise StoppedError; later calls work again."""
    async with _lanes(1) as (lanes, session):
        started = threading.Event()

        def spin() -> Any:
            started.set()
            return session.run(["sum"], rounds(1 << 60))

        calls = [asyncio.create_task(lanes.call(spin)) for _ in range(3)]
        assert await asyncio.to_thread(started.wait, SECONDS)
        change = await lanes.set(0)
        assert (change.before, change.now) == (1, 0)
        for call in calls:
            with pytest.raises(StoppedError, match="ask again"):
                await call
        with pytest.raises(StoppedError, match="the owner has the cores"):
            await lanes.call(lambda: 7)
        await lanes.set(2)
        assert await lanes.call(lambda: session.run(["sum"], rounds(10))) == [np.int64(45)]


async def test_who_left_while_waiting_is_not_run() -> None:
    """A call that was cancelled before it got a lane never takes one."""
    async with _lanes(1) as (lanes, _):
        crowd, ran = Crowd(), threading.Event()
        (first,) = _calls(lanes, crowd, 1)
        await crowd.wait_for(1)
        second = asyncio.create_task(lanes.call(ran.set))
        await asyncio.sleep(0)  # it stands in line now
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        crowd.let_go(1)
        await first
        assert await lanes.call(lambda: 7) == 7
        assert not ran.is_set()


async def test_only_so_many_calls_wait() -> None:
    """The one too many is refused at once and told to ask again, a stop never is; who leaves makes room."""
    async with _lanes(1) as (lanes, _):
        crowd = Crowd()
        (first,) = _calls(lanes, crowd, 1)
        await crowd.wait_for(1)
        waiting = _calls(lanes, crowd, MOST_WAITING)
        await asyncio.sleep(0)  # all of them stand in line now
        with pytest.raises(TooManyCallsError, match=f"{MOST_WAITING} calls wait for a lane; ask again"):
            await lanes.call(crowd.stay)
        waiting[3].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[3]
        waiting[3:4] = _calls(lanes, crowd, 1)
        stopping = asyncio.create_task(lanes.set(0))
        await asyncio.sleep(0)  # the stop was told
        crowd.let_go(1)
        await first
        assert (await stopping).now == 0
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(answer) for answer in answers} == {StoppedError}


async def test_a_change_that_nobody_waits_for_is_made() -> None:
    """A caller of `set` who leaves disturbs neither the change nor the lanes."""
    async with _lanes(2) as (lanes, _):
        crowd = Crowd()
        calls = _calls(lanes, crowd, 2)
        await crowd.wait_for(2)
        lowering = asyncio.create_task(lanes.set(1))
        await asyncio.sleep(0)  # it waits for a lane to end now
        lowering.cancel()
        crowd.let_go(2)
        await asyncio.gather(*calls)
        assert (await lanes.set(1)).before == 1


@pytest.mark.parametrize("rows_per_run", [1, 3])
async def test_lanes_and_stops_cannot_be_seen_in_the_result(tmp_path: Path, rows_per_run: int) -> None:
    """One lane, four, and lanes that come and go all the time give the same bytes."""
    task = echo_task(tmp_path / "bundle", rows_per_run=rows_per_run)
    records, results = echo_records(300), []
    for number, counts in enumerate(((1,), (4,), (0, 1, 4, 0, 2))):
        folder = tmp_path / str(number)
        folder.mkdir()
        lanes = Lanes(task.session, counts[0])
        run, checkpoint = shard_run(task, records, folder)
        running = asyncio.create_task(run_shard(lanes, run))
        for count in cycle(counts):
            if running.done():
                break
            await lanes.set(count)
        results.append(await running)
        checkpoint.close()
        await lanes.close()
    assert results[0].succeeded == 300
    assert results[0] == results[1] == results[2]


async def test_plain_calls_do_not_wait_for_the_shard(tmp_path: Path) -> None:
    """On one lane a call is answered while a shard of many records is under way."""
    task = echo_task(tmp_path / "bundle")
    lanes = Lanes(task.session, 1)
    run, checkpoint = shard_run(task, echo_records(1_000), tmp_path)
    running = asyncio.create_task(run_shard(lanes, run))
    await asyncio.sleep(0)  # the shard is under way now
    assert await lanes.call(lambda: run.done) < 1_000
    assert (await running).succeeded == 1_000
    checkpoint.close()
    await lanes.close()


async def test_a_shard_left_early_is_in_no_lanes_hand(tmp_path: Path) -> None:
    """When its caller has left, no lane runs a record of the shard any more, and the next shard runs."""
    task = TensorTask(write_bundle(tmp_path / "bundle", spinning_model()))
    lanes = Lanes(task.session, 2)
    records = [record(line, **rounds(100_000)) for line in range(1, 1_001)]
    run, checkpoint = shard_run(task, records, tmp_path)
    async with aclosing(lanes.run_shard(run)) as progress:
        await anext(progress)
        while not task.session.longest_step():  # noqa: ASYNC110 - a lane begins it
            await asyncio.sleep(0)
    assert task.session.longest_step() == 0.0
    assert run.done < run.total
    again, other = shard_run(task, records[:2], tmp_path)
    assert (await run_shard(lanes, again)).succeeded == 2
    for each in (checkpoint, other):
        each.close()
    await lanes.close()


async def test_close_ends_a_shard(tmp_path: Path) -> None:
    """A shard under way raises StoppedError when the lanes are closed, also one that waits for lanes."""
    task = echo_task(tmp_path / "bundle")
    lanes = Lanes(task.session, 1)
    await lanes.set(0)
    run, checkpoint = shard_run(task, echo_records(3), tmp_path)
    running = asyncio.create_task(run_shard(lanes, run))
    await asyncio.sleep(0)  # it waits for a lane now
    await lanes.close()
    with pytest.raises(StoppedError, match="the sidecar stops"):
        await running
    checkpoint.close()
