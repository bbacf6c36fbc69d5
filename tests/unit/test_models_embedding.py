"""Embedding: a unit vector that depends on the text alone, and an error for what is no text."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from parkade_api.bundle import TensorOutput, TextInput
from parkade_api.wellknown import RecordError
from parkade_models.bundle import Bundle
from parkade_models.errors import BadRecordError, BundleError, StoppedError
from parkade_models.tasks import embedding
from parkade_models.tasks.embedding import EmbeddingTask
from support.models import echo, graph, write_bundle

TEXTS = ("Return the sum.", "Open a file and read it line by line.", "é 漢字 🚙", "a " * 5_000)


@pytest.mark.parametrize("text", TEXTS)
def test_vector_has_length_one(embedding_task: EmbeddingTask, text: str) -> None:
    """Every text, short, long or foreign, gives a float32 vector of length one."""
    vector, tokens = embedding_task.embed(text)
    assert vector.dtype == np.float32
    assert vector.shape == (384,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    assert 3 <= tokens <= 128


def test_similar_texts_are_near(embedding_task: EmbeddingTask) -> None:
    """The vectors mean something: a paraphrase is nearer than another subject."""
    near, paraphrase, far = (
        embedding_task.embed(text)[0]
        for text in ("The vehicle is parked.", "The car stands still.", "Sort a list of integers in place.")
    )
    assert near @ paraphrase > near @ far + 0.2


def test_lanes_and_order_change_nothing(embedding_task: EmbeddingTask) -> None:
    """The same text gives the same bytes alone, in another order and beside others on other threads."""
    alone = {text: embedding_task.embed(text)[0].tobytes() for text in TEXTS}
    with ThreadPoolExecutor(max_workers=4) as lanes:
        for text, (vector, _) in zip(
            TEXTS[::-1] * 5, lanes.map(embedding_task.embed, TEXTS[::-1] * 5), strict=True
        ):
            assert vector.tobytes() == alone[text]


@settings(max_examples=50)
@given(text=st.text(max_size=200))
def test_any_text_is_embedded_or_refused(embedding_task: EmbeddingTask, text: str) -> None:
    """No text whatsoever raises anything but the errors that a record may have."""
    try:
        vector, _ = embedding_task.embed(text)
    except BadRecordError as error:
        assert error.code is RecordError.EMPTY_TEXT  # noqa: PT017 - either outcome is right
        assert not text.strip()
    else:
        assert np.isfinite(vector).all()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input": ""}, RecordError.EMPTY_TEXT),
        ({"input": " \n\t "}, RecordError.EMPTY_TEXT),
        ({"input": ["a", "b"]}, RecordError.BAD_REQUEST),
        ({"input": 7}, RecordError.BAD_REQUEST),
        ({"input": None}, RecordError.BAD_REQUEST),
        ({}, RecordError.BAD_REQUEST),
    ],
)
def test_what_is_no_text_is_refused(
    embedding_task: EmbeddingTask, body: dict[str, object], code: RecordError
) -> None:
    """An input that is empty or no string has a code of its own and a message with the cure."""
    with pytest.raises(BadRecordError, match=r"give a text|must be one string") as caught:
        embedding_task.answer(body)
    assert caught.value.code is code


def test_answer_is_an_openai_response(embedding_task: EmbeddingTask) -> None:
    """The answer has the shape of OpenAI's embeddings response, with the tokens that the model saw."""
    answer = embedding_task.answer({"model": "any", "input": "a b"})
    assert answer["object"] == "list"
    assert answer["model"] == "paraphrase-minilm-l3"
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert [row["index"] for row in answer["data"]] == [0]


def test_infer_is_one_row_a_text(embedding_task: EmbeddingTask) -> None:
    """Several texts in one request give the vectors that each has alone; none gives none."""
    rows = embedding_task.infer({"text": np.array([b"one", b"two"], np.object_)})["embedding"]
    assert rows.tobytes() == b"".join(embedding_task.embed(text)[0].tobytes() for text in ("one", "two"))
    assert embedding_task.infer({"text": np.array([], np.object_)})["embedding"].shape == (0, 384)


def test_terminate_ends_a_run_under_way(int8_bundle: Bundle) -> None:
    """After `terminate` every lane gets StoppedError within a moment, also the one in the middle of a run."""
    task, ended, began = EmbeddingTask(int8_bundle), threading.Event(), threading.Event()

    def lane() -> None:
        try:
            while True:
                task.embed("word " * 200)
                began.set()
        except StoppedError:
            ended.set()

    threading.Thread(target=lane, daemon=True).start()
    assert began.wait(20)
    started = time.monotonic()
    task.session.stop()
    assert ended.wait(5)
    assert time.monotonic() - started < 5
    with pytest.raises(StoppedError):
        task.embed("afterwards")


@pytest.mark.parametrize(
    ("kind", "shape", "taken"),
    [
        (TensorProto.INT32, ["rows", "tokens"], r"INT32 \[-1, -1\]"),
        (TensorProto.INT64, ["rows", 16], r"INT64 \[-1, 16\]"),
        (TensorProto.INT64, [2, "tokens"], r"INT64 \[2, -1\]"),
        (TensorProto.INT64, ["tokens"], r"INT64 \[-1\]"),
    ],
)
def test_a_graph_that_takes_no_row_of_tokens_is_refused(
    tmp_path: Path, kind: int, shape: list[int | str], taken: str
) -> None:
    """The sentence has what the graph takes and what a text is made into."""
    Tokenizer(WordLevel({"<unk>": 0})).save(str(tmp_path / "tokenizer.json"))
    text = TextInput(kind="text", tokenizer="tokenizer.json", maxTokens=16, tensors=["ids"])
    output = TensorOutput(tensor="ids_out", postprocess="none")
    model = echo(("ids", kind, shape))
    bundle = write_bundle(tmp_path, model, task="embedding", input=text, output=output)
    with pytest.raises(
        BundleError, match=rf"the graph takes ids as {taken}, the manifest says INT64 \[1, -1\]"
    ):
        EmbeddingTask(bundle)


def words(unknown: str = "?", split: str = " ") -> Tokenizer:
    """A tokenizer that knows the words of the warm-up, and `?`; other words become *unknown*."""
    known = ["?", "the", "vehicle", "is", "parked.", "and", "has", "time", "to", "spare."]
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(known, 1)}, unk_token=unknown))
    tokenizer.pre_tokenizer = Split(Regex(split), "removed")
    return tokenizer


def small(folder: Path, tokenizer: Tokenizer, kind: int = TensorProto.FLOAT) -> Bundle:
    """A model whose vector is one number: the sum of the tokens."""
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    nodes = [
        helper.make_node("ReduceSum", ["ids"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["vector"], to=kind),
    ]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "n"])]
    outputs = [helper.make_tensor_value_info("vector", kind, [])]
    described = TextInput(kind="text", tokenizer="tokenizer.json", maxTokens=16, tensors=["ids"])
    output = TensorOutput(tensor="vector", postprocess="l2")
    model = graph(nodes, inputs, outputs)
    return write_bundle(folder, model, task="embedding", input=described, output=output)


BACKTRACKS = r"(a|aa)+$"


@pytest.mark.parametrize(
    ("tokenizer", "kind", "sentence"),
    [
        (words(unknown="none"), TensorProto.FLOAT, r"cannot embed 'The vehicle .*Missing \[UNK\]"),
        (words(split=r"(\w|\w\w|\s)+\d$"), TensorProto.FLOAT, "cannot embed .*retry-limit"),
        (words(), TensorProto.STRING, "gives text as vector; this task needs numbers"),
    ],
    ids=["unknown", "panic", "text"],
)
def test_a_bundle_that_embeds_nothing_is_refused(
    tmp_path: Path, tokenizer: Tokenizer, kind: int, sentence: str
) -> None:
    """Whatever the tokenizer raises, a panic of its Rust too, is the bundle's fault when no text goes through."""
    with pytest.raises(BundleError, match=sentence):
        EmbeddingTask(small(tmp_path, tokenizer, kind))


def test_a_text_that_the_tokenizer_fails_on_is_a_bad_record(tmp_path: Path) -> None:
    """The texts beside it have their vectors."""
    task = EmbeddingTask(small(tmp_path, words(split=BACKTRACKS)))
    first, bad, last = task.answers([{"input": text} for text in ("to", "a" * 60 + "b", "to")])
    assert isinstance(bad, BadRecordError)
    assert (bad.code, bad.message) == (RecordError.INFERENCE_FAILED, "The text could not be cut into tokens.")
    assert first == last == task.answer({"input": "to"})


@pytest.mark.parametrize("error", [MemoryError(), Exception("out of memory")], ids=type)
def test_a_tokenizer_that_gets_no_memory_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """How much memory a vehicle lends says nothing of the bundle."""

    def starve(_: str) -> Tokenizer:
        raise error

    bundle = small(tmp_path, words())
    monkeypatch.setattr(embedding.Tokenizer, "from_file", starve)
    with pytest.raises(MemoryError, match=r"tokenizer\.json needs more memory"):
        EmbeddingTask(bundle)
