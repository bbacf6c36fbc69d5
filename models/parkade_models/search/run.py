"""`search`: every recipe that makes sense for a graph, quantized, scored on held-out data and timed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError

from parkade_models.bundle import describe_file
from parkade_models.checks import check_model
from parkade_models.checks.sizes import largest_inputs
from parkade_models.errors import BadRecordError, BuildError, BundleError
from parkade_models.graph import prepare, products
from parkade_models.layers import Layers
from parkade_models.licence import check_licence
from parkade_models.recipes import RECIPES, Calibration, Feeds, Recipe, quantize, why_not
from parkade_models.search.budget import measure_budget
from parkade_models.search.evaluation import DataError, Example, check_disjoint
from parkade_models.search.output import Decision, Outcome, chosen_variant
from parkade_models.search.proof import prove_recipe, repeats
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


def search(request: Request, progress: Progress) -> Outcome:
    """The report on all candidates, and the fastest INT8 model that keeps the gate when there is one.

    Raises DataError when the data cannot score the model, BuildError when the model cannot be prepared or its own
    metadata contradicts the stated licence, BundleError when model and description do not fit together.
    """
    check_licence(_loaded(request.model), request.description.license)
    check_disjoint(request.evaluation, request.calibration)
    with TemporaryDirectory(prefix="parkade-search-") as scratch:
        folded = Path(scratch) / "folded.onnx"
        prepare(request.model, folded)
        return _Search(request, progress, folded).run()


@dataclass(frozen=True, slots=True)
class _Reference:
    """The model in float32, which every candidate is held against."""

    task: Task
    judge: Judge
    score: float
    feeds: list[Feeds]
    """What the calibration data feeds the graph."""


class _Search:
    """One search beside the folded model, where each candidate becomes a bundle."""

    def __init__(self, request: Request, progress: Progress, folded: Path) -> None:
        self._request = request
        self._progress = progress
        self._folded = folded
        self._workshop = Workshop(request.description, request.folder, folded.parent)
        self._bodies = _bodies(request.evaluation)

    def run(self) -> Outcome:
        """Scores float32, tries every recipe and proves the chosen one."""
        layers = Layers.of(onnx.load(str(self._folded)))
        objections = {recipe: why_not(recipe, layers) for recipe in RECIPES}
        sensible = [recipe for recipe, reason in objections.items() if reason is None]
        self._progress.begin(len(self._bodies) * (1 + len(sensible)))
        self._progress.stage(FLOAT32)
        reference = self._refer()
        calibration = Calibration(self._folded, reference.feeds, self._folded.parent)
        tried = [self._float32(reference)]
        for recipe, reason in objections.items():
            if reason is None:
                self._progress.stage(f"{sensible.index(recipe) + 1} of {len(sensible)}: {recipe.name}")
                tried.append(self._try(recipe, reference, calibration))
            else:
                tried.append(Candidate(recipe.name, Verdict.NOT_APPLICABLE, reason))
        return self._concluded(reference.judge, choose(tried))

    def _refer(self) -> _Reference:
        task = self._workshop.open_float32(self._folded)
        feeds = feeds_of(task, _bodies(self._request.calibration))
        check_same(self._request.model, task.session, feeds)
        answers = self._answers(task)
        check_reference(self._request.evaluation, answers)
        judge_ = Judge(self._request.evaluation, answers)
        score = judge_.score(answers)
        if not score > 0:
            raise DataError(f"float32 itself has {judge_.metric} {score}: the data cannot judge INT8")
        return _Reference(task, judge_, score, feeds)

    def _float32(self, reference: _Reference) -> Candidate:
        return self._candidate(FLOAT32, self._folded, Verdict.REFERENCE, reference.score, 1.0, 1.0)

    def _try(self, recipe: Recipe, reference: _Reference, calibration: Calibration) -> Candidate:
        try:
            model = self._workshop.path(recipe.name)
            quantize(recipe, self._folded, model, calibration)
            check_model(model.read_bytes(), largest_inputs(self._request.description))
            return self._measure(recipe, model, reference)
        except (BuildError, BundleError, BadRecordError) as error:
            self._progress.advance(len(self._bodies))  # raised before a record was scored
            return Candidate(recipe.name, Verdict.REJECTED, str(error))

    def _measure(self, recipe: Recipe, model: Path, reference: _Reference) -> Candidate:
        task, other = (self._workshop.open_int8(recipe.name) for _ in range(2))
        if not repeats(task, other, self._bodies[:_VECTORS]):
            raise BuildError("the same records do not always give the same bytes")
        speed = speed_ratio(reference.task.session, task.session, reference.feeds)
        score = reference.judge.score(self._answers(task))
        ratio = score / reference.score
        measured = self._candidate(recipe.name, model, Verdict.PASSED, score, ratio, speed)
        return judge(measured, self._request.gate)

    def _candidate(
        self, recipe: str, model: Path, verdict: Verdict, metric: float, ratio: float, speed: float
    ) -> Candidate:
        found = products(model)
        return Candidate(
            recipe=recipe,
            verdict=verdict,
            metric=metric,
            ratio=ratio,
            speed=speed,
            size=model.stat().st_size,
            integer_products=found.integer,
            float_products=found.float,
        )

    def _answers(self, task: Task) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(self._bodies), _CHUNK):
            chunk = self._bodies[start : start + _CHUNK]
            answers += [answer for body in chunk for answer in task.answers([body])]
            self._progress.advance(len(chunk))
        return answers

    def _concluded(self, judge_: Judge, candidates: tuple[Candidate, ...]) -> Outcome:
        report = Report(
            model=self._request.description.name,
            metric=judge_.metric,
            weaker=judge_.is_weaker,
            gate=self._request.gate,
            records=len(self._request.evaluation),
            calibration=len(self._request.calibration),
            candidates=candidates,
        )
        return Outcome(report) if report.chosen is None else self._proved(report, report.chosen)

    def _proved(self, report: Report, chosen: Candidate) -> Outcome:
        self._progress.stage(f"proving {chosen.recipe}")
        sample = _spread(self._bodies, _PROOF_RECORDS)
        rows = prove_recipe(self._workshop, chosen.recipe, sample)
        model = self._workshop.path(chosen.recipe)
        decision = Decision(
            variant=chosen_variant(report, chosen),
            model_sha256=describe_file(model).sha256,
            rows_per_run=rows.rows_per_run,
            rows_reason=rows.sentence,
            budget=measure_budget(model.parent, sample),
            vectors=_spread(_bodies(self._request.vectors) or self._bodies, _VECTORS),
        )
        return Outcome(report, decision, model.read_bytes())


def _loaded(path: Path) -> Any:
    try:
        return onnx.load(str(path))
    except DecodeError as error:
        raise BuildError(f"{path.name} is no ONNX file: {error}") from None


def _bodies(examples: Sequence[Example]) -> list[dict[str, Any]]:
    return [body for example in examples for body in example.bodies()]


def _spread(bodies: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """*count* bodies, evenly spaced, or all when there are fewer."""
    used = min(count, len(bodies))
    return [bodies[index * len(bodies) // used] for index in range(used)]
