"""Models as people read them: an ONNX file, a search under way, and the table of its candidates."""

import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from parkade_models.inspection import Inspection
from parkade_models.search.report import Candidate, Report, Verdict
from parkade_models.session import TensorSpec

_WIDTH = 120  # of tables in files and pipes
_STYLES = {Verdict.CHOSEN: "bold green", Verdict.REJECTED: "red", Verdict.NOT_APPLICABLE: "dim"}


def console() -> Console:
    """Prints whole lines: what people copy is never cut, and brackets mean nothing."""
    width = None if sys.stdout.isatty() else _WIDTH
    return Console(soft_wrap=True, markup=False, highlight=False, width=width)


class Bar:
    """A search's progress: one bar with the time that is left on a terminal, else a line for each stage."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, steps: int) -> None:
        """The search will take that many steps."""
        self._task = self._progress.add_task("", total=steps)

    def stage(self, sentence: str) -> None:
        """What is being done now."""
        if self._console.is_terminal:
            self._progress.update(self._task, description=sentence)
        else:
            self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def advance(self, steps: int) -> None:
        """So many more steps are done."""
        self._progress.advance(self._task, steps)


def inspection(model: Inspection) -> Table:
    """An ONNX file, a row for each thing to know."""
    opsets = ", ".join(
        f"{domain} {version}" for domain, version in model.opsets.items() if domain == "ai.onnx"
    )
    weights = (
        f"{kind}: {each.parameters:,} parameters, {each.bytes / 1e6:.2f} MB"
        for kind, each in model.weights.items()
    )
    licences = (f"{value} ({key})" for key, value in model.licences.items())
    verdict = f"refuse it: {model.refusal}" if model.refusal else "take it"
    memory = "" if model.memory is None else f"; its tensors take {model.memory / 1e6:.2f} MB by known shapes"
    return _rows(
        {
            "file": f"{model.file}, {model.size / 1e6:.2f} MB, IR version {model.ir_version}",
            "opset": opsets,
            "producer": model.producer or "not stated",
            "licence": "; ".join(licences) or "none in its metadata",
            "inputs": _tensors(model.inputs),
            "outputs": _tensors(model.outputs),
            "operators": ", ".join(f"{name} {count}" for name, count in model.operators.items()),
            "weights": "\n".join(weights) or "none",
            "computes": model.computes,
            "vehicles": verdict + memory,
        }
    )


def bundle(manifest: Mapping[str, Any], digest: str) -> Table:
    """A bundle's manifest, in short."""
    quality = (_quality(variant) for variant in manifest["variants"])
    return _rows(
        {
            "bundle": f"{manifest['name']} {manifest['version']}, task {manifest['task']}, {manifest['license']}",
            "digest": digest,
            "from": manifest["source"],
            "variants": "\n".join(quality),
        }
    )


def candidates(report: Report) -> Group:
    """Every candidate of a search in the order in which they were tried, and why some are not taken."""
    weaker = ", a weaker measure than labels" if report.weaker else ""
    title = (
        f"{report.model}: {report.metric}{weaker} over {report.records} examples,"
        f" gate {report.gate:.1%}, calibrated with {report.calibration}"
    )
    columns = ("Recipe", report.metric, "Of FP32", "Speed", "MB", "INT8 products", "Verdict")
    table = Table(*columns, title=title, title_justify="left")
    for each in report.candidates:
        table.add_row(*map(Text, _cells(each)), style=_STYLES.get(each.verdict, ""))
    reasons = (Text(f"{each.recipe}: {each.reason}") for each in report.candidates if each.reason)
    return Group(table, *reasons)


def _cells(each: Candidate) -> Iterable[str]:
    yield each.recipe
    yield _figure(each.metric, "{:.4f}")
    yield _figure(each.ratio, "{:.2%}")
    yield _figure(each.speed, "{:.2f}x")
    yield _figure(None if each.size is None else each.size / 1e6, "{:.2f}")
    products = (each.integer_products or 0) + (each.float_products or 0)
    yield _figure(each.integer_products, f"{{}} of {products}")
    yield each.verdict


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _quality(variant: Mapping[str, Any]) -> str:
    told = f"{variant['precision']}: {variant['file']}, {variant['recipe']}"
    if (quality := variant.get("quality")) is None:
        return told
    return f"{told}; {quality['metric']} {quality['value']:.4f}, float32 {quality['reference']:.4f}"


def _tensors(specs: Iterable[TensorSpec]) -> str:
    return "\n".join(f"{spec.name}: {spec.datatype} {list(spec.shape)}" for spec in specs)


def _rows(rows: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(value))
    return table
