"""The work queue: a key is worked on by one worker at a time, and once more when something changed meanwhile."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from parkade_operator.kube.errors import error_of
from parkade_operator.kube.workqueue import WorkQueue

PATIENCE = 10.0
QUEUE = "test"
UNAVAILABLE = error_of(503, "ServiceUnavailable", "later")


@contextlib.asynccontextmanager
async def working(
    reconcile: Callable[[str], Awaitable[float | None]], workers: int = 4
) -> AsyncIterator[WorkQueue]:
    """A running queue."""
    queue = WorkQueue(reconcile, workers, name=QUEUE)
    running = asyncio.create_task(queue.run())
    try:
        async with asyncio.timeout(PATIENCE):
            yield queue
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_additions_before_the_start_are_one() -> None:
    """However often a waiting key is added, it is reconciled once."""
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def reconcile(key: str) -> None:
        seen.put_nowait(key)

    async with working(reconcile, workers=1) as queue:
        for key in ("a", "b", "a", "a", "last"):
            queue.add(key)
        assert [await seen.get() for _ in range(3)] == ["a", "b", "last"]
    assert seen.empty()


async def test_a_key_has_one_worker_and_runs_once_more() -> None:
    """Additions while a key is worked on run it again when it is done, once, and never beside itself."""
    runs, active, most = Counter[str](), Counter[str](), 0
    began, go_on, twice = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reconcile(key: str) -> None:
        nonlocal most
        runs[key] += 1
        active[key] += 1
        most = max(most, active[key])
        began.set()
        await go_on.wait()
        active[key] -= 1
        if runs[key] == 2:
            twice.set()

    async with working(reconcile) as queue:
        queue.add("a")
        await began.wait()
        for _ in range(5):
            queue.add("a")
        await asyncio.sleep(0)
        assert runs["a"] == 1
        go_on.set()
        await twice.wait()
        await asyncio.sleep(0)
    assert (runs["a"], most) == (2, 1)


async def test_a_slow_key_does_not_hold_up_others() -> None:
    """Other workers go on while one waits."""
    never, done = asyncio.Event(), asyncio.Event()

    async def reconcile(key: str) -> None:
        if key == "slow":
            await never.wait()
        done.set()

    async with working(reconcile, workers=2) as queue:
        queue.add("slow")
        queue.add("quick")
        await done.wait()


async def test_a_key_runs_again_when_it_asked_to() -> None:
    """The seconds that reconcile returns are when it runs next, without being added."""
    seen: asyncio.Queue[str] = asyncio.Queue()
    waits = [0.0, 0.01, None]

    async def reconcile(key: str) -> float | None:
        seen.put_nowait(key)
        return waits.pop(0)

    async with working(reconcile) as queue:
        queue.add("a")
        assert [await seen.get() for _ in range(3)] == ["a"] * 3
    assert waits == []


async def test_an_addition_is_sooner_than_a_timer() -> None:
    """A change is looked at now, and the timer it overtakes does not run the key again."""
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def reconcile(key: str) -> float:
        seen.put_nowait(key)
        return 3600.0

    async with working(reconcile) as queue:
        queue.add_after("a", 3600.0)
        queue.add("a")
        assert await seen.get() == "a"
        queue.add("a")
        assert await seen.get() == "a"
    assert seen.empty()


async def test_a_refused_key_is_tried_again() -> None:
    """A KubeError is no end: the key comes back by itself."""
    done = asyncio.Event()
    failures = [UNAVAILABLE]

    async def reconcile(_: str) -> None:
        if failures:
            raise failures.pop()
        done.set()

    with capture_logs() as logs:
        async with working(reconcile) as queue:
            queue.add("a")
            await done.wait()
    assert [entry["retry_seconds"] for entry in logs] == [0.2]


async def test_patience_grows_to_a_limit_and_is_forgotten() -> None:
    """The wait doubles up to half a minute, through a night of failures, and a success starts it anew."""
    outcomes = iter([*[False] * 1200, True, False, None])
    done = asyncio.Event()

    async def reconcile(key: str) -> None:
        outcome = next(outcomes)
        queue.add(key)
        if outcome is None:
            done.set()
            await asyncio.Event().wait()
        if not outcome:
            raise UNAVAILABLE

    with capture_logs() as logs:
        async with working(reconcile) as queue:
            queue.add("a")
            await done.wait()
    waits = [entry["retry_seconds"] for entry in logs]
    assert waits[:5] == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert (waits[8:1200], waits[1200:]) == ([30.0] * 1192, [0.2])


async def test_a_defect_of_one_key_is_told_and_harms_no_other() -> None:
    """What is no KubeError is a defect of ours: logged with its traceback, counted, and tried again with patience."""
    tries = Counter[str]()
    twice, other = asyncio.Event(), asyncio.Event()

    async def reconcile(key: str) -> None:
        tries[key] += 1
        if key == "other":
            other.set()
            return
        if tries[key] == 2:
            twice.set()
        raise KeyError("a defect")

    before = _defects()
    with capture_logs() as logs:
        async with working(reconcile, workers=1) as queue:
            queue.add("broken")
            queue.add("other")
            await other.wait()
            await twice.wait()
    assert (tries["other"], _defects() - before) == (1, 2)
    assert [(entry["event"], entry["exc_info"], entry["retry_seconds"]) for entry in logs] == [
        ("reconcile broken", True, 0.2),
        ("reconcile broken", True, 0.4),
    ]


def _defects() -> float:
    return REGISTRY.get_sample_value("parkade_reconcile_defects_total", {"queue": QUEUE}) or 0.0
