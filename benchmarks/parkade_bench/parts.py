"""The parts of the benchmark by name: each measures, writes its section of the page, and gives its figures."""

from collections.abc import Callable, Mapping
from typing import Final

from parkade_bench import growth, stopping
from parkade_bench.bench import Bench, Figures
from parkade_bench.document import table
from parkade_bench.errors import BenchError
from parkade_bench.machine import machine
from parkade_bench.parts_of_runtimes import openvino, reproducibility, without_vnni
from parkade_bench.precision import Gain, accuracy, speed_over
from parkade_bench.readiness import measure_ready
from parkade_bench.servers import PEERS
from parkade_bench.serving import measure_serving
from parkade_bench.serving_report import serving_figures, serving_section
from parkade_bench.spread import percentile
from parkade_bench.workload import Workload
from parkade_models.bundle import load_bundle

_STOPS: Final = 200
_STARTS: Final = 16
_MEGABYTE: Final = 1e6
_TAIL: Final = 0.99
_HALF: Final = 0.5


def the_machine(bench: Bench) -> Figures:
    """What all was measured on."""
    facts = machine()
    bench.write("Machine", table(("", ""), facts.items()))
    return {"machine": facts}


def texts(bench: Bench) -> Figures:
    """Serving MiniLM."""
    return _serving(bench, bench.texts, "")


def images(bench: Bench) -> Figures:
    """Serving the CNN."""
    return _serving(bench, bench.images, "_cnn")


def _serving(bench: Bench, workload: Workload, suffix: str) -> Figures:
    folder = bench.folder(f"serving{suffix}")
    serving = measure_serving(workload, PEERS, folder, bench.rounds, bench.say)
    bench.write(f"Serving: {workload.title}", serving_section(serving))
    return serving_figures(serving, suffix)


def precision(bench: Bench) -> Figures:
    """INT8 over FP32: speed and quality of both models."""
    found = (_minilm(bench), _digits(bench))
    words = (
        "The graph alone, one thread, one item a run, CPU time; FP32 and INT8 take turns of 128 items.\n\n"
    )
    head = ("model", "speed over FP32", "metric on held-out examples", "FP32", "INT8", "ratio")
    rows = [
        (each.title, each.speed, each.metric, f"{each.fp32:.4f}", f"{each.int8:.4f}", f"{each.kept:.4f}")
        for each in found
    ]
    bench.write("INT8 over FP32", words + table(head, rows))
    text, image = found
    return {
        "int8_over_fp32_minilm": round(text.speed.median, 3),
        "int8_over_fp32_cnn": round(image.speed.median, 3),
        "metric_ratio_minilm": round(text.kept, 4),
        "metric_ratio_cnn": round(image.kept, 4),
    }


def _minilm(bench: Bench) -> Gain:
    """The metric is what the search found when the bundle's recipe was decided."""
    quality = load_bundle(bench.minilm("INT8")).variant.quality
    if quality is None:
        raise BenchError("the bundle of MiniLM does not say what its search found")
    speed = speed_over(
        bench.texts.shard, bench.minilm("FP32"), bench.minilm("INT8"), bench.rounds, bench.scratch
    )
    metric = f"{quality.metric}, {quality.records} pairs, by the bundle's search"
    return Gain("MiniLM-L3", speed, metric, quality.reference, quality.value)


def _digits(bench: Bench) -> Gain:
    speed = speed_over(
        bench.images.shard, bench.digits("FP32"), bench.digits("INT8"), bench.rounds, bench.scratch
    )
    exact, found = (
        accuracy(folder, bench.held_out) for folder in (bench.digits("FP32"), bench.digits("INT8"))
    )
    return Gain("digits CNN", speed, f"accuracy, {len(bench.held_out)} images", exact, found)


def stop(bench: Bench) -> Figures:
    """The owner's stop."""
    stops = stopping.measure_stops(bench.texts, bench.folder("stop"), bench.less(_STOPS), bench.say)
    p50, p99 = percentile(stops.stops, _HALF), percentile(stops.stops, _TAIL)
    slowed = percentile(stops.after, _HALF) / percentile(stops.usual, _HALF)
    words = (
        f"`Lanes.Set(0)` sent until answered, when no lane runs: {len(stops.stops)} stops at random moments, calls of "
        f"{stopping.ROWS} texts on every lane. The next call takes {slowed:.2f} times what calls took before.\n\n"
    )
    rows = [(f"{p50:.1f}", f"{p99:.1f}", f"{max(stops.stops):.1f}")]
    bench.write("The owner's stop", words + table(("p50 ms", "p99 ms", "worst ms"), rows))
    return {"stop_p99_ms_batch8": round(p99, 2), "after_stop_over_usual": round(slowed, 3)}


def ready(bench: Bench) -> Figures:
    """From the start of a process to SERVING."""
    seconds = measure_ready(bench.texts.bundle, bench.folder("ready"), bench.less(_STARTS))
    middle, worst = percentile(seconds, _HALF), max(seconds)
    words = f"MiniLM-L3 INT8, from the process's start to SERVING, {len(seconds)} starts, files in the page cache.\n\n"
    bench.write("Ready", words + table(("median s", "worst s"), [(f"{middle:.2f}", f"{worst:.2f}")]))
    return {"ready_seconds": round(middle, 3)}


def memory(bench: Bench) -> Figures:
    """Whether memory grows with calls."""
    grown = growth.measure_growth(bench.folder("memory"), bench.less(growth.CALLS), bench.say)
    added = grown.end_bytes - grown.warm_bytes
    words = (
        f"A graph of one Relu served {grown.calls:,} times after {growth.WARM_CALLS:,} calls to warm up.\n\n"
    )
    head = ("resident MB warm", "resident MB at the end", "bytes a call")
    row = (
        f"{grown.warm_bytes / _MEGABYTE:.1f}",
        f"{grown.end_bytes / _MEGABYTE:.1f}",
        f"{added / grown.calls:.1f}",
    )
    bench.write("Memory", words + table(head, [row]))
    return {"memory_growth_bytes": added}


PARTS: Final[Mapping[str, Callable[[Bench], Figures]]] = {
    "texts": texts,
    "images": images,
    "precision": precision,
    "stop": stop,
    "ready": ready,
    "memory": memory,
    "openvino": openvino,
    "reproducibility": reproducibility,
    "vnni": without_vnni,
}
