"""The registry of tasks: the modules of one folder, of which only the one that a bundle names is loaded."""

import sys
from pathlib import Path

import pytest
from onnx import TensorProto

from parkade_api.wellknown import RecordError
from parkade_models import tasks
from parkade_models.errors import BadRecordError, OutOfMemoryError, StoppedError, UnknownTaskError
from parkade_models.tasks import known_tasks, open_task
from parkade_models.tasks.task import one_by_one
from support.models import echo, write_bundle

MODEL = echo(("x", TensorProto.FLOAT, ["n"]))


def test_three_tasks_are_known() -> None:
    """Every module with a TASK is a task, and no other module is."""
    assert known_tasks() == ["classification", "embedding", "tensor"]


@pytest.mark.parametrize("name", ["translation", "task", "npz", "inputs", "os"])
def test_an_unknown_task_is_refused(tmp_path: Path, name: str) -> None:
    """A bundle of another version's task, or one that names a module that is none, is refused with the known names."""
    with pytest.raises(
        UnknownTaskError, match=f"task '{name}' is not known here; .* classification, embedding, tensor"
    ):
        open_task(write_bundle(tmp_path, MODEL, task=name))


def test_adding_a_task_is_adding_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is put into the folder is a task; nothing else knows its name."""
    (tmp_path / "echo.py").write_text("def TASK(bundle):\n    return bundle\n")
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    bundle = write_bundle(tmp_path / "bundle", MODEL, task="echo")
    assert open_task(bundle) is bundle
    assert "echo" in known_tasks()
    del sys.modules["parkade_models.tasks.echo"]


def test_errors_stay_in_their_places() -> None:
    """Where one item of several is in error, the others are made, and each result stands where its item stood."""
    old = BadRecordError(RecordError.BAD_REQUEST, "It was bad before.")

    def half(value: int) -> float:
        if value % 2:
            raise BadRecordError(RecordError.INFERENCE_FAILED, f"{value} is odd.")
        return value / 2

    found = one_by_one(half, [4, old, 3, 2])
    assert found[0::3] == [2.0, 1.0]
    assert found[1] is old
    assert str(found[2]) == "3 is odd."


def test_what_nobody_foresaw_is_the_items_error() -> None:
    """The sentence is the same in every vehicle, and the items beside it are made."""
    found = one_by_one(lambda value: 1 // value, [1, 0, 1])
    assert found[0::2] == [1, 1]
    assert isinstance(found[1], BadRecordError)
    assert (found[1].code, found[1].message) == (
        RecordError.INFERENCE_FAILED,
        "This record could not be read or answered.",
    )


@pytest.mark.parametrize("raised", [MemoryError(), OutOfMemoryError("full"), StoppedError("stop")], ids=repr)
def test_what_says_nothing_of_an_item_is_raised(raised: Exception) -> None:
    """Too little memory and a stop end the call: no item gets an error for them."""

    def fail(_: int) -> None:
        raise raised

    with pytest.raises(type(raised)):
        one_by_one(fail, [1])
