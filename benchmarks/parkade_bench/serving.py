"""What serving costs: raw onnxruntime, our sidecar and its peers take turns on the same items and the same cores."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from parkade_bench.errors import BenchError, UnavailableError
from parkade_bench.meter import Measurement, cpu_seconds, thawed
from parkade_bench.servers import LANES, Peer, Server, end_server, start_peer, start_sidecar
from parkade_bench.worker import Worker, module
from parkade_bench.workload import Workload
from parkade_hack.processes import Supervisor

ROWS: Final = (1, 8, 32)
UNDER_WAY: Final = 3  # calls in flight: one more than lanes, so that none of them waits for the client
RAW: Final = "raw onnxruntime"
RAW_FILE: Final = "raw onnxruntime, file to file"
REFERENCE: Final = "sidecar, by reference"
_PASSES_TO_CHOOSE: Final = 3


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do all items: which program is asked, what for, and whose CPU time counts."""

    title: str
    who: str
    rows: int
    worker: Worker
    order: Mapping[str, Any]
    server: Server | None = None

    def measure(self, **extra: Any) -> Measurement:
        """One pass over the items. Raises BenchError when the server refuses."""
        pid = self.server.pid if self.server else None
        with thawed(pid):
            roots = [self.worker.pid, *([pid] if pid else [])]
            before = cpu_seconds(roots)
            answer = self.worker.ask(**self.order, **extra)
            if "error" in answer:
                raise BenchError(str(answer["error"]))
            return Measurement(answer["items"], answer["seconds"], cpu_seconds(roots) - before)


@dataclass(frozen=True, slots=True)
class Round:
    """A pass of a contender, and the passes of raw onnxruntime right before and after it, together."""

    own: Measurement
    raw: Measurement

    @property
    def rate(self) -> float:
        """Items a second over those of raw onnxruntime."""
        return self.own.rate / self.raw.rate

    @property
    def cpu(self) -> float:
        """CPU time of raw onnxruntime over the contender's, for as many items."""
        return self.raw.cpu_milliseconds / self.own.cpu_milliseconds


@dataclass(slots=True)
class Serving:
    """The rounds of every contender, and who could not take part."""

    workload: Workload
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    contenders: dict[str, Contender] = field(default_factory=dict)
    drift: dict[str, float] = field(default_factory=dict)
    """Largest difference between a contender's answers and those of raw onnxruntime."""
    bases: dict[str, Contender] = field(default_factory=dict)
    """The best arrangement of raw onnxruntime, with items in memory and from file to file."""

    missing: dict[str, str] = field(default_factory=dict)
    """Why a contender is not in the table."""


def measure_serving(
    workload: Workload,
    peers: Sequence[Peer],
    scratch: Path,
    rounds: int,
    say: Callable[[str, int, int], None],
) -> Serving:
    """Interleaves all contenders. *say* hears what runs, which pass of how many."""
    serving = Serving(workload)
    with _contenders(workload, peers, scratch, serving.missing) as contenders:
        alive = _warm_up(contenders, serving, scratch)
        serving.bases = {who: _best(each for each in alive if each.who == who) for who in (RAW, RAW_FILE)}
        total = rounds * len(alive)
        for number in range(rounds):
            turned = number % len(alive)
            for at, contender in enumerate(alive[turned:] + alive[:turned]):
                say(contender.title, number * len(alive) + at, total)
                serving.rounds.setdefault(contender.title, []).append(_round(serving, contender))
    return serving


def _round(serving: Serving, contender: Contender) -> Round:
    """The machine's mood changes within seconds, so raw onnxruntime runs right before and right after."""
    base = serving.bases[RAW_FILE if contender.who in {REFERENCE, RAW_FILE} else RAW]
    before, own, after = base.measure(), contender.measure(), base.measure()
    return Round(own, before + after)


def _best(arrangements: Iterable[Contender]) -> Contender:
    """The arrangement that takes the least CPU time in a few passes."""
    return min(
        arrangements, key=lambda each: min(each.measure().cpu_seconds for _ in range(_PASSES_TO_CHOOSE))
    )


def _warm_up(contenders: Sequence[Contender], serving: Serving, scratch: Path) -> list[Contender]:
    """Those that can do the items, after a pass that nobody measures; their answers are compared."""
    alive: list[Contender] = []
    expected: Any = None
    for contender in contenders:
        saved = scratch / "rows.npy"
        compared = contender.who not in {REFERENCE, RAW_FILE}
        try:
            contender.measure(**({"save": str(saved)} if compared else {}))
        except BenchError as error:
            serving.missing[contender.title] = str(error)
            continue
        if compared:
            rows = np.load(saved)
            expected = rows if expected is None else expected
            serving.drift[contender.title] = _difference(rows, expected)
        serving.contenders[contender.title] = contender
        alive.append(contender)
    return alive


def _difference(rows: Any, expected: Any) -> float:
    """The largest difference; a server that names only the likeliest label is compared in its probability."""
    if rows.shape[1] < expected.shape[1]:
        expected = expected.max(axis=1, keepdims=True)
    return float(np.abs(rows - expected).max())


@contextmanager
def _contenders(
    workload: Workload, peers: Sequence[Peer], scratch: Path, missing: dict[str, str]
) -> Iterator[list[Contender]]:
    with ExitStack() as stack:
        supervisor = Supervisor(scratch / "logs")
        stack.callback(supervisor.stop_all)
        found = [*_raw(workload, scratch, stack), *_ours(workload, scratch, supervisor, stack)]
        for peer in peers:
            try:
                server = start_peer(supervisor, peer, workload.bundle, workload.model)
            except UnavailableError as error:
                missing[peer.title] = str(error)
            else:
                stack.callback(end_server, supervisor, server)
                found += _plain(peer.name, server, _client(server, workload, scratch, stack))
        yield found


def _raw(workload: Workload, scratch: Path, stack: ExitStack) -> Iterator[Contender]:
    command = module("peers.raw", workload.bundle, workload.shard)
    worker = _worker(command, scratch, stack)
    for rows in workload.raw_rows:
        yield Contender(f"{RAW}, {rows} a run", RAW, rows, worker, {"threads": LANES, "rows": rows})
        to_file = {"threads": LANES, "rows": rows, "result": str(scratch / "raw.result")}
        yield Contender(f"{RAW_FILE}, {rows} a run", RAW_FILE, rows, worker, to_file)


def _ours(workload: Workload, scratch: Path, supervisor: Supervisor, stack: ExitStack) -> Iterator[Contender]:
    slot = scratch / "slot"
    slot.mkdir()
    server = start_sidecar(supervisor, "sidecar", workload.bundle, slot)
    stack.callback(end_server, supervisor, server)
    worker = _client(server, workload, scratch, stack)
    yield Contender(REFERENCE, REFERENCE, 1, worker, {"shard": workload.request(slot)}, server)
    yield from _plain("sidecar", server, worker)


def _plain(who: str, server: Server, worker: Worker) -> Iterator[Contender]:
    for rows in ROWS:
        order = {"rows": rows, "under_way": UNDER_WAY}
        yield Contender(f"{who}, {rows} rows", who, rows, worker, order, server)


def _client(server: Server, workload: Workload, scratch: Path, stack: ExitStack) -> Worker:
    return _worker(
        module("client", server.target, workload.model, workload.bundle, workload.shard), scratch, stack
    )


def _worker(command: tuple[str, ...], scratch: Path, stack: ExitStack) -> Worker:
    worker = Worker(command, scratch / "logs" / "workers.log")
    stack.callback(worker.close)
    return worker
