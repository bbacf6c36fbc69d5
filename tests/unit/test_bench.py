"""The benchmark's arithmetic, its page, and how it deals out items; what it measures is for `make bench-sidecar`."""

import math
import os
import threading
import time
from pathlib import Path

import pytest

from parkade_bench.document import table, write_section
from parkade_bench.machine import machine
from parkade_bench.meter import Measurement, cpu_seconds
from parkade_bench.peers.work import Chunks, item_of
from parkade_bench.spread import percentile, spread
from parkade_reclaim.promises import broken_promises


@pytest.mark.parametrize(
    ("values", "median", "low", "high"),
    [([2.0], 2, 2, 2), ([3.0, 1.0, 2.0], 2, 1, 3), ([1.0, 2.0, 3.0, 4.0, 5.0], 3, 1.5, 4.5)],
)
def test_a_spread_is_the_middle_half_of_many_and_the_range_of_few(
    values: list[float], median: float, low: float, high: float
) -> None:
    """Quartiles of three rounds would be made up."""
    found = spread(values)
    assert (found.median, found.low, found.high) == (median, low, high)


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.5, 50.0), (0.99, 99.0), (0.999, 100.0), (1.0, 100.0), (0.01, 1.0)]
)
def test_a_percentile_is_one_of_the_values(share: float, wanted: float) -> None:
    """The smallest value that so large a share of all does not exceed."""
    assert percentile([float(value) for value in range(100, 0, -1)], share) == wanted


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    """A run of one part leaves what other parts wrote."""
    page = tmp_path / "page.md"
    for title, body in [("Ready", "one"), ("Memory", "two"), ("Ready", "three\n\n- four")]:
        write_section(title, body, page)
    head, *sections = page.read_text().split("\n## ")
    assert head.startswith("# Benchmarks")
    assert sections == ["Ready\n\nthree\n\n- four\n", "Memory\n\ntwo\n"]


def test_a_table_is_markdown() -> None:
    """The first column holds names, the others figures."""
    assert table(("what", "s"), [("ready", 0.5)]) == "| what | s |\n|---|---:|\n| ready | 0.5 |\n"


def test_chunks_deal_every_item_once_to_any_number_of_threads() -> None:
    """The last chunk is as short as it must be."""
    chunks, taken, lock = Chunks(103, 8), list[slice](), threading.Lock()

    def lane() -> None:
        for chunk in chunks:
            with lock:
                taken.append(chunk)

    threads = [threading.Thread(target=lane) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(at for chunk in taken for at in range(chunk.start, chunk.stop)) == list(range(103))


def test_an_item_is_a_text_or_what_base64_stands_for() -> None:
    """As the records of both kinds of model have it."""
    assert item_of({"input": {"kind": "text"}}, {"input": "grün"}) == "grün".encode()
    assert item_of({"input": {"kind": "image"}}, {"input": "iVA="}) == b"\x89P"


def test_cpu_time_of_a_process_is_what_it_used() -> None:
    """By the kernel's clock of that process; a process that does not exist has used none."""
    before = cpu_seconds([os.getpid()])
    begun = time.process_time()
    while time.process_time() - begun < 0.05:
        pass
    assert 0.05 <= cpu_seconds([os.getpid()]) - before < 5
    assert cpu_seconds([2**22 + 1]) == 0


def test_a_measurement_tells_rate_and_cost() -> None:
    """Items a second of wall time, milliseconds of CPU an item."""
    measured = Measurement(items=200, seconds=2.0, cpu_seconds=3.0)
    assert (measured.rate, measured.cpu_milliseconds) == (100, 15)


def test_the_machine_is_told() -> None:
    """CPU, its flags and the versions of what is measured."""
    facts = machine()
    assert facts["CPU"]
    assert {"cores", "flags", "onnxruntime", "grpcio"} <= facts.keys()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({}, []),
        ({"frozen_p99_ms": 100.1}, ["until nothing computes, of 99 in 100 returns of the driver: 100.1"]),
        ({"memory_free_max_ms": math.inf}, ["its memory free: inf, promised at most 1000"]),
        ({"agent_killed_children_dead_max_ms": 1001}, ["outlive their killed agent: 1001"]),
        ({"wakeup_p50_ratio": 2.1}, []),
        ({"wakeup_p50_more_us": 1001}, []),
        (
            {"wakeup_p50_ratio": 2.1, "wakeup_p50_more_us": 1001},
            ["2.1 times as late beside work, 1001 us later"],
        ),
        ({"bomb_dead_s": 6, "idle_core_percent": 1.5}, ["bomb lives: 6", "at rest takes: 1.5"]),
    ],
)
def test_a_broken_promise_of_a_reclaim_is_said(other: dict[str, float], words: list[str]) -> None:
    """One sentence for each with its figure and its limit, and none when all hold."""
    held = {
        "frozen_p99_ms": 100,
        "memory_free_max_ms": 1000,
        "agent_killed_children_dead_max_ms": 1000,
        "bomb_probe_memory_change_mb": 0.5,
        "bomb_dead_s": 1.8,
        "idle_core_percent": 0.96,
        "idle_resident_mb": 54,
        "wakeup_p50_ratio": 0.9,
        "wakeup_p50_more_us": -10,
    }
    broken = broken_promises(held | other)
    assert len(broken) == len(words)
    assert all(word in sentence for word, sentence in zip(words, broken, strict=True))
