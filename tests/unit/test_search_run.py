"""A search takes the fastest recipe that keeps the gate, or refuses the model and says why."""

import hashlib
from pathlib import Path

import onnx
import pytest

from parkade_models.building import write_int8
from parkade_models.bundle import load_bundle
from parkade_models.errors import BuildError, BundleError
from parkade_models.reproducibility import reproducibility_class
from parkade_models.search.evaluation import DataError, Example
from parkade_models.search.output import Outcome, write_bundle
from parkade_models.search.report import Verdict
from parkade_models.search.request import Request
from parkade_models.search.run import search
from parkade_models.tasks import open_task
from support.searches import Heard, classifier_request, description, packed, rows

pytestmark = pytest.mark.long(20)


@pytest.fixture(scope="module")
def heard() -> Heard:
    """The progress of the good search."""
    return Heard()


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """A model that quantizes well."""
    return classifier_request(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def outcome(request_: Request, heard: Heard) -> Outcome:
    """What was found for it."""
    return search(request_, heard)


def test_fastest_that_keeps_the_gate_is_taken(outcome: Outcome) -> None:
    """A model that quantizes well is taken in INT8, smaller and faster; what passed is not measurably faster."""
    report, chosen = outcome.report, outcome.report.chosen
    assert chosen is not None
    assert chosen.speed is not None
    assert all(
        each.speed <= chosen.speed / 0.95
        for each in report.candidates
        if each.verdict is Verdict.PASSED and each.speed
    )
    assert (chosen.ratio or 0) >= 0.9
    assert (chosen.size or 0) < (report.reference.size or 0) / 3
    assert (chosen.integer_products or 0) >= 1  # a busy machine may find a recipe that leaves one out as fast
    assert [each.integer_products for each in report.candidates if each.recipe == "dynamic, MatMul"] == [2]
    assert (report.metric, report.weaker, report.records, report.calibration) == ("accuracy", False, 60, 8)


def test_every_recipe_is_in_the_table(outcome: Outcome) -> None:
    """Recipes that make no sense for the graph stand in the table with the reason."""
    skipped = {each.recipe: each.reason for each in outcome.report.candidates if each.metric is None}
    assert skipped["static MinMax, Conv"] == "the graph has no Conv"
    assert skipped["dynamic, all operators"] == "the same as dynamic, MatMul"
    assert all(
        each.verdict is Verdict.NOT_APPLICABLE for each in outcome.report.candidates if each.metric is None
    )


@pytest.mark.usefixtures("outcome")
def test_progress_ends_where_it_said(heard: Heard) -> None:
    """The steps that were announced are done at the end, and each candidate was named."""
    assert heard.done == heard.steps == 60 * 8
    assert heard.stages[0] == "float32, folded"
    assert heard.stages[1] == "1 of 7: dynamic, MatMul"
    assert heard.stages[-1].startswith("proving ")


def test_bundle_is_what_was_searched(request_: Request, outcome: Outcome, tmp_path: Path) -> None:
    """The bundle holds the chosen model with its quality, speed, budget and vectors, loads and answers."""
    digest = write_bundle(request_.description, request_.folder, outcome, tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    chosen, quality, budget = outcome.report.chosen, bundle.variant.quality, bundle.manifest.budget
    assert bundle.digest == digest
    assert chosen is not None
    assert quality is not None
    assert budget is not None
    assert (bundle.variant.recipe, bundle.variant.speed) == (chosen.recipe, chosen.speed)
    assert (quality.metric, quality.value, quality.records, quality.gate) == (
        "accuracy",
        chosen.metric,
        60,
        0.9,
    )
    assert 20 << 20 < budget.memoryBytes < 1 << 30
    assert 0 < budget.secondsPerRecord < 1
    task = open_task(bundle)
    assert len(reproducibility_class(bundle, task)) == 16
    assert isinstance(task.answers([{"input": packed(rows(1)[0])}])[0], dict)


@pytest.mark.parametrize("same", [True, False], ids=["same file", "another file"])
def test_figures_stay_with_the_file_that_was_searched(
    request_: Request, outcome: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, same: bool
) -> None:
    """A build that gives the searched file states its figures; where it gives another, neither quality nor speed."""
    assert outcome.decision is not None
    searched = hashlib.sha256(outcome.model).hexdigest()
    decision = outcome.decision.model_copy(update={} if same else {"model_sha256": "0" * 64})
    write_int8(request_.description, request_.model, decision, request_.calibration, tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.file(bundle.variant.file).sha256 == searched == outcome.decision.model_sha256
    assert (bundle.variant == decision.variant) == same
    assert (bundle.variant.quality is None) == (bundle.variant.speed is None) == (not same)
    assert bundle.manifest.budget is not None
    assert ("is not the file that was searched" in capsys.readouterr().err) == (not same)


def test_model_that_no_recipe_keeps_is_refused(tmp_path: Path) -> None:
    """An input of another magnitude leaves INT8 no resolution: nothing is chosen, nothing is written."""
    request = classifier_request(tmp_path, outlier=30_000.0)
    outcome = search(request, Heard())
    assert outcome.report.chosen is None
    assert "no recipe keeps 90.00% of float32's accuracy" in (outcome.report.refusal or "")
    reasons = [each.reason or "" for each in outcome.report.candidates if each.verdict is Verdict.REJECTED]
    assert len(reasons) == 7
    assert all("of float32's metric" in reason for reason in reasons)
    with pytest.raises(BuildError, match="classifier is refused: no recipe keeps"):
        write_bundle(request.description, tmp_path, outcome, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def _changed(request: Request, **fields: object) -> Request:
    return Request(**{name: getattr(request, name) for name in request.__slots__} | fields)  # type: ignore[arg-type]


def test_licence_that_the_model_contradicts_is_refused(request_: Request, tmp_path: Path) -> None:
    """The model's own metadata wins over what somebody stated: both are named."""
    model = onnx.load(str(request_.model))
    onnx.helper.set_model_props(model, {"license": "AGPL-3.0 License (https://ultralytics.com/license)"})
    onnx.save(model, str(tmp_path / "agpl.onnx"))
    with pytest.raises(BuildError, match=r"says licence 'MIT', the model's own metadata says 'AGPL-3\.0"):
        search(_changed(request_, model=tmp_path / "agpl.onnx"), Heard())


def test_shared_calibration_data_is_refused(request_: Request) -> None:
    """Data that calibrates and judges would say nothing."""
    with pytest.raises(DataError, match="is in the evaluation data too"):
        search(_changed(request_, calibration=request_.evaluation[:1]), Heard())


def test_data_that_float32_cannot_answer_is_named(request_: Request) -> None:
    """A record that no model could answer is a fault of the data, not of INT8."""
    broken = [*request_.evaluation[:2], Example("AAAA", label="1")]
    with pytest.raises(DataError, match="example 3 cannot be answered by the float32 model either"):
        search(_changed(request_, evaluation=broken), Heard())


def test_labels_that_float32_never_gives_are_refused(request_: Request) -> None:
    """A metric of zero in float32 can judge nothing."""
    wrong = [Example(example.input, label="cat") for example in request_.evaluation]
    with pytest.raises(DataError, match=r"float32 itself has accuracy 0\.0"):
        search(_changed(request_, evaluation=wrong), Heard())


def test_description_that_does_not_fit_is_refused(request_: Request) -> None:
    """A description of other tensors is refused before anything is quantized."""
    other = description(
        input={"kind": "tensor", "tensors": [{"name": "z", "datatype": "FP32", "shape": [1]}]}
    )
    with pytest.raises(BundleError, match="z"):
        search(_changed(request_, description=other), Heard())
