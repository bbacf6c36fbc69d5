"""The parts that ask what runs the graph: another runtime, another version, another CPU."""

from typing import Final

from parkade_bench.bench import Bench, Figures
from parkade_bench.document import table
from parkade_bench.environments import python_of
from parkade_bench.reproducibility import ITEMS, Change, changes, quality_without_vnni
from parkade_bench.second_runtime import Comparison, compare, static_bundle

_MEGABYTE: Final = 1e6
_COMPARED_ITEMS: Final = 256


def openvino(bench: Bench) -> Figures:
    """A second runtime for transformers."""
    folder = bench.folder("openvino")
    exact = bench.minilm("FP32")
    shard = bench.first_items(bench.texts, _COMPARED_ITEMS)
    static = static_bundle(exact, shard, folder / "static")
    files = {
        "INT8, the bundle's (dynamic)": bench.texts.bundle,
        "INT8, static QDQ (fails the gate)": static,
        "FP32": exact,
    }
    python = python_of("openvino")
    found = [compare(title, bundle, shard, bench.rounds, python, folder) for title, bundle in files.items()]
    words = "OpenVINO 2026.4 beside onnxruntime on the files of MiniLM-L3, one thread, one text a run.\n\n"
    head = (
        "file",
        "speed over onnxruntime",
        "CPU s to the first answer",
        "resident MB",
        "rows equal",
        "lowest cosine",
    )
    bench.write("A second runtime", words + table(head, map(_runtime_row, found)))
    return {"openvino_over_onnxruntime": {each.title: round(each.speed.median, 3) for each in found}}


def _runtime_row(found: Comparison) -> tuple[object, ...]:
    both = (found.onnxruntime, found.openvino)
    return (
        found.title,
        found.speed,
        " -> ".join(f"{each['ready_cpu_seconds']:.2f}" for each in both),
        " -> ".join(f"{each['resident_bytes'] / _MEGABYTE:.0f}" for each in both),
        f"{found.openvino['equal_rows']:.0%}",
        f"{found.openvino['lowest_cosine']:.4f}",
    )


def reproducibility(bench: Bench) -> Figures:
    """What changes bytes."""
    folder = bench.folder("reproducibility")
    texts, images = (bench.first_items(each, ITEMS) for each in (bench.texts, bench.images))
    models = {
        "MiniLM-L3 INT8": (bench.minilm("INT8"), texts),
        "MiniLM-L3 FP32": (bench.minilm("FP32"), texts),
        "digits CNN INT8": (bench.digits("INT8"), images),
        "digits CNN FP32": (bench.digits("FP32"), images),
    }
    missing: dict[str, str] = {}
    found = list(changes(models, folder, missing, bench.say))
    absent = "".join(f"\nNot measured: {what}: {why}\n" for what, why in missing.items())
    words = f"""{ITEMS} items of each model, each time in a process of its own, against the same model here on one lane.
Weights have seven bits, so integer sums are the same with VNNI and without; what is left is how floats between them
are rounded. So answers are compared byte by byte only within a reproducibility class.

"""
    head = ("model", "what is different", "same bytes", "lowest cosine", "same largest element")
    bench.write("Reproducibility", words + table(head, map(_change_row, found)) + absent)
    return {"same_bytes": {f"{each.model}, {each.what}": each.told["equal_rows"] for each in found}}


def without_vnni(bench: Bench) -> Figures:
    """The quality of INT8 on a CPU that lacks what INT8 is made for."""
    folder = bench.folder("without-vnni")
    kept = quality_without_vnni(bench.minilm("FP32"), bench.minilm("INT8"), folder)
    rows = [
        ("FP32", f"{kept.fp32:.4f}", ""),
        ("INT8 here", f"{kept.int8:.4f}", f"{kept.int8 / kept.fp32:.1%}"),
        ("INT8 without VNNI", f"{kept.without_vnni:.4f}", f"{kept.without_vnni / kept.fp32:.1%}"),
    ]
    words = f"MiniLM-L3 on {kept.pairs} pairs of docstrings; too few for a gate, enough to see the difference.\n\n"
    bench.write("Quality without VNNI", words + table(("", "MRR@10", "of FP32"), rows))
    return {"without_vnni": round(kept.without_vnni / kept.fp32, 4)}


def _change_row(found: Change) -> tuple[object, ...]:
    told = found.told
    equal = "yes" if told["equal_rows"] == 1 else f"{told['equal_rows']:.0%} of items"
    return found.model, found.what, equal, f"{told['lowest_cosine']:.4f}", f"{told['same_best']:.0%}"
