"""`kubectl parkade model`: from an ONNX file to a signed bundle that is verified, and no's in words."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from parkade_cli.__main__ import app
from parkade_cli.model_view import Bar
from support.float32 import write_float32
from support.models import echo
from support.publishers import Publisher, make_publisher

pytestmark = pytest.mark.long(30)
REFUSED = 3


def run(*arguments: object) -> Result:
    """What `kubectl parkade model` does with these arguments."""
    return CliRunner().invoke(app, ["model", *map(str, arguments)])


def good(*arguments: object) -> str:
    """What is printed by a command that succeeds."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.onnx, a draft of its description, eval.jsonl and the bundle that a search made of it."""
    folder = tmp_path_factory.mktemp("searched")
    write_float32(folder)
    good("inspect", folder / "model.onnx", "--describe", folder / "description.json")
    said = good(
        "quantize",
        *question(folder),
        "--out",
        folder / "bundle",
        "--gate",
        0.9,
        "--picture",
        folder / "p.svg",
    )
    (folder / "said.txt").write_text(said)
    return folder


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """Somebody who signs."""
    return make_publisher(tmp_path, "acme")


def question(folder: Path) -> tuple[object, ...]:
    """What a search is asked with."""
    description = ("--describe", folder / "description.json")
    return (folder / "model.onnx", *description, "--data", folder / "eval.jsonl")


def test_an_onnx_file_is_shown_with_what_vehicles_say(searched: Path) -> None:
    """For people a row for each thing, for programs the same as JSON; a draft is never written over a file."""
    told = good("inspect", searched / "model.onnx")
    assert "vector: FP32 [-1, 1024]" in told
    assert "in float: 2 products" in told
    assert "take it" in told
    model = json.loads(good("inspect", searched / "model.onnx", "-o", "json"))["model"]
    assert model["products"] == {"integer": 0, "float": 2}
    again = run("inspect", searched / "model.onnx", "--describe", searched / "description.json")
    assert (again.exit_code, "description.json: File exists" in again.stderr) == (1, True)


def test_a_bundle_is_shown_with_its_digest_and_quality(searched: Path) -> None:
    """The digest is what a batch names."""
    digest = (searched / "said.txt").read_text().split()[-1]
    assert digest in good("inspect", searched / "bundle")
    shown = json.loads(good("inspect", searched / "bundle", "-o", "json"))
    assert shown["digest"] == digest
    assert shown["manifest"]["variants"][0]["quality"]["metric"] == "accuracy"
    assert shown["model"]["products"]["integer"] > 0


def test_a_search_shows_every_candidate_and_draws_them(searched: Path) -> None:
    """Each recipe has its row, each that is not taken for a reason its line."""
    said = (searched / "said.txt").read_text()
    assert "float32, folded" in said
    assert "chosen" in said
    assert "static Entropy, Conv: the graph has no Conv" in said
    assert (searched / "p.svg").read_text().startswith("<?xml")


def test_a_model_that_no_recipe_keeps_is_refused_with_the_reason(tmp_path: Path, searched: Path) -> None:
    """Exit code 3, all candidates, no bundle."""
    (tmp_path / "model.onnx").write_bytes(echo(("vector", 1, ["rows", 1024])))
    good("inspect", tmp_path / "model.onnx", "--describe", tmp_path / "description.json")
    (tmp_path / "eval.jsonl").write_bytes((searched / "eval.jsonl").read_bytes())
    lines = (tmp_path / "eval.jsonl").read_text().splitlines()
    unlabelled = [json.dumps({"input": json.loads(line)["input"]}) for line in lines]
    (tmp_path / "eval.jsonl").write_text("\n".join(unlabelled))
    refused = run("quantize", *question(tmp_path), "--out", tmp_path / "bundle", "-o", "json")
    assert refused.exit_code == REFUSED, refused.output
    report = json.loads(refused.stdout)
    assert "no recipe keeps 99.00% of float32's agreement" in report["refusal"]
    assert (report["weaker"], report["digest"]) == (True, None)
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_is_signed_and_verified_step_by_step(searched: Path, publisher: Publisher) -> None:
    """Every step is told; the same data gives the quality that the bundle states."""
    assert "bundle.sig" in good("sign", searched / "bundle", "--key", publisher.private)
    told = good("verify", searched / "bundle", "--key", publisher.public, "--data", searched / "eval.jsonl")
    assert [line.split()[:2] for line in told.splitlines()] == [
        ["ok", step] for step in ("files", "signature", "checks", "load", "INT8", "vectors", "quality")
    ]
    assert "signed with the key acme.pem" in told
    other = make_publisher(publisher.public.parent, "other")
    refused = run("verify", searched / "bundle", "--key", other.public, "-o", "json")
    steps = json.loads(refused.stdout)["steps"]
    assert refused.exit_code == REFUSED
    assert [(step["name"], step["is_good"]) for step in steps] == [("files", True), ("signature", False)]
    assert steps[-1]["sentence"] == "bundle.sig was not made with the key other.pem"


def test_a_search_under_way_shows_a_bar_with_the_time_left() -> None:
    """On a terminal one line that changes; elsewhere a line for each stage."""
    shown = {True: io.StringIO(), False: io.StringIO()}
    for is_terminal, file in shown.items():
        with Bar(Console(file=file, force_terminal=is_terminal, width=100)) as bar:
            bar.begin(10)
            bar.stage("1 of 2: dynamic, MatMul")
            bar.advance(5)
    assert re.search(r"1 of 2: dynamic, MatMul.*0:00:00.*-:--:--", shown[True].getvalue())
    assert shown[False].getvalue() == "1 of 2: dynamic, MatMul\n"


def test_a_bundle_that_was_touched_is_refused(searched: Path, tmp_path: Path) -> None:
    """The first file that is wrong ends the verification."""
    for path in (searched / "bundle").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "vectors.jsonl").write_text("{}\n")
    refused = run("verify", tmp_path)
    assert refused.exit_code == REFUSED
    assert refused.stdout.startswith("NOT OK files      vectors.jsonl has 3 bytes, bundle.json says")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"description.json": "{}"}, "error: description.json: schema: Field required"),
        ({"eval.jsonl": '{"query": "a"}\n'}, "error: eval.jsonl, line 1 has the fields ['query']"),
        ({"bundle/old.txt": "x"}, "the folder is not empty; name a new one"),
        ({"eval.jsonl": None}, "eval.jsonl: No such file or directory"),
        ({"model.onnx": "a letter"}, "model.onnx is no ONNX file"),
    ],
)
def test_wrong_files_are_named_in_one_sentence(
    searched: Path, tmp_path: Path, change: dict[str, str | None], sentence: str
) -> None:
    """Exit code 1: the command could not do its work."""
    (tmp_path / "bundle").mkdir()
    for name in ("model.onnx", "description.json", "eval.jsonl"):
        (tmp_path / name).write_bytes((searched / name).read_bytes())
    for name, content in change.items():
        (tmp_path / name).unlink() if content is None else (tmp_path / name).write_text(content)
    failed = run("quantize", *question(tmp_path), "--out", tmp_path / "bundle")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert sentence in failed.stderr


def test_data_that_is_scored_does_not_calibrate(searched: Path, tmp_path: Path) -> None:
    """A file of its own may be given for that, but not the same records."""
    given = (*question(searched), "--calibrate", searched / "eval.jsonl", "--out", tmp_path / "bundle")
    failed = run("quantize", *given)
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "example 1 of the calibration data is in the evaluation data too" in failed.stderr


def test_other_commands_need_none_of_it() -> None:
    """Starting `kubectl parkade` loads no model library; without the extra these commands name it."""
    check = "import sys; import parkade_cli.__main__; sys.exit('onnxruntime' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
    without = "import sys; sys.modules['onnx'] = None; from parkade_cli.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, "model", "inspect", "x.onnx"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: onnx is missing; these commands need the extra models: pip install '.[cli,models]' in a clone\n"
    )
