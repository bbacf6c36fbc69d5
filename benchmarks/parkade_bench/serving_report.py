"""What the serving part says: a table of every contender, and the ratios that were promised."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from parkade_bench.bench import Figures
from parkade_bench.document import table
from parkade_bench.servers import LANES, PEERS
from parkade_bench.serving import RAW, REFERENCE, UNDER_WAY, Round, Serving
from parkade_bench.spread import Spread, spread

SIDECAR: Final = "sidecar"
_BATCH: Final = 8
_HEAD: Final = (
    "contender",
    "a call",
    "rate over raw",
    "raw CPU over its CPU",
    "CPU ms an item",
    "answers off by",
)


def serving_section(serving: Serving) -> str:
    """The section of one workload."""
    raw = serving.bases[RAW]
    rounds = serving.rounds[raw.title]
    included = f"""{serving.workload.title}, {rounds[0].own.items} items a pass, {len(rounds)} rounds. Everybody reads
the same items, does the whole work for them (tokenizer or PNG decoder, the graph with one thread a run, norm or
softmax) on the same {LANES} cores, and is asked by the same client with {UNDER_WAY} calls under way, whose CPU time
counts. Raw is the best of its arrangements ({raw.title}), two threads in one process, and runs right before and right
after each pass of the others; its own row shows how far apart equal passes lie. By reference, a file of JSON lines is
read and one is written: that is held against raw onnxruntime doing so too.
"""
    return included + "\n" + table(_HEAD, _rows(serving)) + "".join(_absent(serving))


def serving_figures(serving: Serving, suffix: str) -> Figures:
    """The promised ratios; null what was not measured."""
    peers = {peer.name: _ratio(serving, f"{peer.name}, {_BATCH} rows") for peer in PEERS}
    measured = [ratio for ratio in peers.values() if ratio is not None]
    return {
        f"reference_over_raw{suffix}": _ratio(serving, REFERENCE),
        f"oip_batch8_over_raw{suffix}": _ratio(serving, f"{SIDECAR}, {_BATCH} rows"),
        f"best_peer_over_raw{suffix}": max(measured, default=None),
        f"reference_cpu_over_raw{suffix}": _cpu_ratio(serving, REFERENCE),
        f"oip_batch8_cpu_over_raw{suffix}": _cpu_ratio(serving, f"{SIDECAR}, {_BATCH} rows"),
        f"peers_over_raw{suffix}": peers,
        f"missing{suffix}": serving.missing,
    }


def _rows(serving: Serving) -> Iterator[tuple[object, ...]]:
    for title, contender in serving.contenders.items():
        rounds = serving.rounds[title]
        cpu = statistics.median(each.own.cpu_milliseconds for each in rounds)
        drift = serving.drift.get(title)
        yield (
            contender.who,
            contender.rows,
            _rate(rounds),
            _cpu(rounds),
            f"{cpu:.2f}",
            "" if drift is None else f"{drift:.0e}",
        )


def _absent(serving: Serving) -> Iterator[str]:
    for title, why in serving.missing.items():
        yield f"\nNot measured: {title}: {why.splitlines()[0]}\n"


def _ratio(serving: Serving, title: str) -> float | None:
    return round(_rate(serving.rounds[title]).median, 3) if title in serving.rounds else None


def _cpu_ratio(serving: Serving, title: str) -> float | None:
    return round(_cpu(serving.rounds[title]).median, 3) if title in serving.rounds else None


def _rate(rounds: Sequence[Round]) -> Spread:
    return spread(each.rate for each in rounds)


def _cpu(rounds: Sequence[Round]) -> Spread:
    return spread(each.cpu for each in rounds)
