"""`search`: every recipe that makes sense for a graph, quantized, scored on held-out data and timed."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError

from parkade_models.checks import check_model
from parkade_models.checks.sizes import largest_inputs
from parkade_models.errors import BadRecordError, BuildError, BundleError
from parkade_models.graph import prepare, products
from parkade_models.layers import Layers
from parkade_models.licence import check_licence
from parkade_models.recipes import RECIPES, Calibration, Recipe, quantize, why_not
from parkade_models.search.budget import measure_budget
from parkade_models.search.evaluation import DataError, check_disjoint
from parkade_models.search.output import MODEL, Decision, Outcome, chosen_variant
from parkade_models.search.proof import ROWS, Bodies, RowsProof, prove_rows, repeats
from parkade_models.search.report import Candidate, Report, Verdict, choose, judge
from parkade_models.search.request import Progress, Request
from parkade_models.search.scoring import Judge, check_reference
from parkade_models.search.speed import speed_ratio
from parkade_models.search.workshop import Workshop, check_same, feeds_of
from parkade_models.tasks.task import Answer, Task

FLOAT32: Final = "float32, folded"
_VECTORS: Final = 8
_PROOF_RECORDS: Final = 40
_CHUNK: Final = 32  # records between two words on progress


class Quiet:
    """Progress that nobody looks at."""

    def begin(self, steps: int) -> None:
        """Says nothing."""

    def stage(self, sentence: str) -> None:
        """Says nothing."""

    def advance(self, steps: int) -> None:
        """Says nothing."""


def search(request: Request, progress: Progress | None = None) -> Outcome:
    """The report on all candidates, and the fastest INT8 model that keeps the gate when there is one.

    Raises DataError when the data cannot score the model, BuildError when the model cannot be prepared or its own
    metadata contradicts the stated licence, BundleError when model and description do not fit together.
    """
    check_licence(_loaded(request.model), request.description.license)
    check_disjoint(request.evaluation, request.calibration)
    with TemporaryDirectory(prefix="parkade-search-") as scratch:
        return _Search(request, progress or Quiet(), Path(scratch)).run()


class _Search:
    """One search in a scratch folder, where each candidate is a bundle."""

    def __init__(self, request: Request, progress: Progress, scratch: Path) -> None:
        self._request = request
        self._progress = progress
        self._workshop = Workshop(request.description, request.folder, scratch)
        self._bodies = [body for example in request.evaluation for body in example.bodies()]
        self._folded = scratch / "folded.onnx"
        prepare(request.model, self._folded)
        layers = Layers.of(onnx.load(str(self._folded)))
        self._objections = {recipe: why_not(recipe, layers) for recipe in RECIPES}
        self._recipes = [recipe for recipe, reason in self._objections.items() if reason is None]
        progress.begin(len(self._bodies) * (1 + len(self._recipes)))
        progress.stage(FLOAT32)
        self._reference = self._workshop.open_float32(self._folded)
        self._feeds = feeds_of(self._reference, [b for e in request.calibration for b in e.bodies()])
        check_same(request.model, self._reference.session, self._feeds)
        self._calibration = Calibration(self._folded, self._feeds, scratch)
        answers = self._answers(self._reference)
        check_reference(request.evaluation, answers)
        self._judge = Judge(request.evaluation, answers)
        self._wanted = self._judge.score(answers)
        if not self._wanted > 0:
            raise DataError(
                f"float32 itself has {self._judge.metric} {self._wanted}: the data cannot judge INT8"
            )

    def run(self) -> Outcome:
        """Tries every recipe and proves the chosen one."""
        tried = [self._float32(), *map(self._try, RECIPES)]
        report = Report(
            model=self._request.description.name,
            metric=self._judge.metric,
            weaker=self._judge.is_weaker,
            gate=self._request.gate,
            records=len(self._request.evaluation),
            calibration=len(self._request.calibration),
            candidates=choose(tried),
        )
        chosen = report.chosen
        return Outcome(report) if chosen is None else self._proved(report, chosen)

    def _float32(self) -> Candidate:
        found = products(self._folded)
        return Candidate(
            recipe=FLOAT32,
            verdict=Verdict.REFERENCE,
            metric=self._wanted,
            ratio=1.0,
            speed=1.0,
            size=self._folded.stat().st_size,
            integer_products=found.integer,
            float_products=found.float,
        )

    def _try(self, recipe: Recipe) -> Candidate:
        reason = self._objections[recipe]
        if reason is not None:
            return Candidate(recipe.name, Verdict.NOT_APPLICABLE, reason)
        self._progress.stage(f"{self._recipes.index(recipe) + 1} of {len(self._recipes)}: {recipe.name}")
        try:
            model = self._workshop.path(recipe.name)
            quantize(recipe, self._folded, model, self._calibration)
            check_model(model.read_bytes(), largest_inputs(self._request.description))
            return self._measure(recipe, model)
        except (BuildError, BundleError, BadRecordError) as error:
            self._progress.advance(len(self._bodies))  # raised before a record was scored
            return Candidate(recipe.name, Verdict.REJECTED, str(error))

    def _measure(self, recipe: Recipe, model: Path) -> Candidate:
        task, other = (self._workshop.open_int8(recipe.name) for _ in range(2))
        if not repeats(task, other, self._bodies[:_VECTORS]):
            raise BuildError("two loads of the same file give different bytes for the same records")
        speed = speed_ratio(self._reference.session, task.session, self._feeds)
        found = products(model)
        metric = self._judge.score(self._answers(task))
        measured = Candidate(
            recipe=recipe.name,
            verdict=Verdict.PASSED,
            metric=metric,
            ratio=metric / self._wanted,
            speed=speed,
            size=model.stat().st_size,
            integer_products=found.integer,
            float_products=found.float,
        )
        return judge(measured, self._request.gate)

    def _answers(self, task: Task) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(self._bodies), _CHUNK):
            chunk = self._bodies[start : start + _CHUNK]
            answers += [answer for body in chunk for answer in task.answers([body])]
            self._progress.advance(len(chunk))
        return answers

    def _proved(self, report: Report, chosen: Candidate) -> Outcome:
        self._progress.stage(f"proving {chosen.recipe}")
        sample = _spread(self._bodies, _PROOF_RECORDS)
        rows = self._rows(chosen.recipe, sample)
        folder = self._workshop.path(chosen.recipe).parent
        decision = Decision(
            variant=chosen_variant(report, chosen),
            rows_per_run=rows.rows_per_run,
            rows_reason=rows.sentence,
            budget=measure_budget(folder, sample),
            vectors=_spread(self._bodies, _VECTORS),
        )
        return Outcome(report, decision, (folder / MODEL).read_bytes())

    def _rows(self, recipe: str, bodies: Bodies) -> RowsProof:
        try:
            shared = self._workshop.open_int8(recipe, ROWS)
        except BundleError as error:
            return RowsProof(1, str(error))
        return prove_rows(self._workshop.open_int8(recipe), shared, bodies)


def _loaded(path: Path) -> Any:
    try:
        return onnx.load(str(path))
    except DecodeError as error:
        raise BuildError(f"{path.name} is no ONNX file: {error}") from None


def _spread(bodies: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """*count* bodies, evenly spaced, or all when there are fewer."""
    used = min(count, len(bodies))
    return [bodies[index * len(bodies) // used] for index in range(used)]
