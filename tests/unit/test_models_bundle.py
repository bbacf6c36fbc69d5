"""A bundle is what its bundle.json says, or it is refused with a sentence that names the file."""

import hashlib
import json
import shutil
from operator import attrgetter
from pathlib import Path

import pytest

from parkade_models import minilm, minilm_source, sources
from parkade_models.bundle import Bundle, describe_file, load_bundle
from parkade_models.errors import BundleError, DamagedBundleError
from parkade_models.tasks import open_task
from support.bundles import DIGITS, MAGIKA, MINILM, Made


@pytest.fixture
def copy(int8_bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the real bundle that a test may break."""
    return Path(shutil.copytree(int8_bundle.folder, tmp_path / "bundle"))


def test_digest_is_that_of_the_manifest(int8_bundle: Bundle) -> None:
    """The digest is the sha256 of bundle.json, which names each file with its own."""
    raw = (int8_bundle.folder / "bundle.json").read_bytes()
    assert int8_bundle.digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    names = {entry.name for entry in int8_bundle.manifest.files}
    assert names == {"model.int8.onnx", "tokenizer.json", "vectors.jsonl"}


def test_building_again_gives_the_same_digest(int8_bundle: Bundle, tmp_path: Path) -> None:
    """The same packages and tools give the same bytes."""
    assert minilm.build(tmp_path / "again") == int8_bundle.digest


def test_other_packages_are_another_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle kept under the digest of its source is built again when a locked package changes."""
    before = minilm_source.source_digest()
    changed = tmp_path / "model.txt"
    changed.write_bytes(sources.LOCK_FILE.read_bytes() + b"\n")
    monkeypatch.setattr(sources, "LOCK_FILE", changed)
    assert minilm_source.source_digest() != before


@pytest.mark.parametrize("made", [MINILM, MAGIKA, DIGITS], ids=attrgetter("name"))
def test_another_decision_is_another_source(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle is built again when the file with its search changes, and no other bundle is."""
    package = Path(sources.__file__).parent
    copy = shutil.copytree(package, tmp_path / "package", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "__file__", str(copy / "sources.py"))
    others = {MINILM, MAGIKA, DIGITS} - {made}
    before, unchanged = made.source_digest(), [other.source_digest() for other in others]
    search_file = copy / f"{made.name.removeprefix('paraphrase-').partition('-')[0]}_search.json"
    search_file.write_bytes(search_file.read_bytes() + b"\n")
    assert made.source_digest() != before
    assert [other.source_digest() for other in others] == unchanged


def test_int8_is_a_quarter_of_float32(int8_bundle: Bundle) -> None:
    """The INT8 bundle is small enough for a vehicle's link."""
    assert int8_bundle.variant.precision == "INT8"
    assert sum(entry.size for entry in int8_bundle.manifest.files) < 20_000_000


def test_changed_byte_is_refused(copy: Path) -> None:
    """A file with one other byte is named together with both digests."""
    model = bytearray((copy / "model.int8.onnx").read_bytes())
    model[-1] ^= 1
    (copy / "model.int8.onnx").write_bytes(model)
    with pytest.raises(
        DamagedBundleError, match=r"model\.int8\.onnx has sha256 [0-9a-f]{64}, bundle\.json says"
    ):
        load_bundle(copy)


def test_cut_file_is_refused(copy: Path) -> None:
    """A file of another size is refused with both sizes."""
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(DamagedBundleError, match=r"tokenizer\.json has 2 bytes, bundle\.json says \d+"):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["bundle.json", "model.int8.onnx"])
def test_missing_file_is_refused(copy: Path, name: str) -> None:
    """A missing file is named."""
    (copy / name).unlink()
    with pytest.raises(DamagedBundleError, match=f"{name} cannot be read: No such file"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"task": "Translation"}, "task"),
        ({"surprise": 1}, "surprise"),
        ({"rowsPerRun": 65}, "rowsPerRun"),
        ({"files": []}, "files"),
        ({"variants": [{"precision": "INT8", "file": "x.onnx", "requires": "", "recipe": ""}]}, r"x\.onnx"),
    ],
)
def test_wrong_manifest_is_refused(copy: Path, change: dict[str, object], sentence: str) -> None:
    """A manifest that does not fit the schema, or uses a file that it does not list, says where."""
    manifest = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps(manifest | change))
    with pytest.raises(BundleError, match=sentence) as caught:
        load_bundle(copy)
    assert not isinstance(caught.value, DamagedBundleError)


@pytest.mark.parametrize("name", ["model.int8.onnx", "tokenizer.json"])
def test_file_of_another_kind_is_refused(copy: Path, name: str) -> None:
    """A file that is listed rightly but is no model, or no tokenizer, is refused when it is loaded."""
    (copy / name).write_bytes(b"This is a letter.")
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["files"] = [describe_file(copy / entry["name"]).model_dump() for entry in manifest["files"]]
    (copy / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"{name} cannot be loaded as"):
        open_task(load_bundle(copy))


def test_graph_that_does_not_fit_the_manifest_is_refused(copy: Path) -> None:
    """Tensor names that the graph does not have are refused with the names that it has."""
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["output"]["tensor"] = "poem"
    (copy / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(
        BundleError, match=r"the graph gives \['sentence_embedding'\], the manifest says poem"
    ):
        open_task(load_bundle(copy))
