"""An unmodified Triton client, in its own environment and process, against a sidecar."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from parkade_hack.environments import environment_of
from parkade_models.bundle import Bundle
from parkade_models.tasks.embedding import EmbeddingTask
from support.inference import NAME, SPECS, echo_bundle, good_values
from support.sidecars import serving_sidecar

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def python(root: Path) -> Path:
    """The interpreter that has the client."""
    return environment_of(root / "requirements" / "tritonclient.txt")


async def _probe(python: Path, bundle: Bundle, scratch: Path, given: Arrays) -> tuple[dict[str, Any], Arrays]:
    """What the client was told by a sidecar with *bundle*, and the outputs that it got."""
    program = Path(__file__).parents[1] / "support" / "triton_probe.py"
    plain = {
        name: value.astype(np.bytes_) if value.dtype == np.object_ else value for name, value in given.items()
    }
    np.savez(scratch / "in.npz", **plain)
    async with serving_sidecar(bundle) as sidecar:
        files = (sidecar.socket, bundle.manifest.name, scratch / "in.npz", scratch / "out.npz")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(python, program, *files, stdout=pipe, stderr=pipe)
        told, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    with np.load(scratch / "out.npz") as got:
        return json.loads(told), dict(got)


async def test_every_datatype(python: Path, tmp_path: Path) -> None:
    """The client learns all inputs from the metadata and gets every tensor back, in the order that it asked for."""
    given = good_values(SPECS)
    told, got = await _probe(python, echo_bundle(tmp_path / "bundle", SPECS), tmp_path, given)
    for name, value in given.items():
        found = got[f"{name}_out"]
        assert found.tolist() == value.tolist()
        assert found.dtype == (value.dtype if value.dtype != np.object_ else found.dtype)
    assert told.pop("order") == [f"{spec.name}_out" for spec in reversed(SPECS)]
    assert told == {
        "live": True,
        "ready": True,
        "model_ready": [True, False],
        "server": "parkade-sidecar",
        "id": "42",
        "wrong_shape": [
            "StatusCode.INVALID_ARGUMENT",
            "input bool has shape [1, 1, 1], expected [-1, 2]",
        ],
        "wrong_model": ["StatusCode.NOT_FOUND", f"model 'other' is not here; this is {NAME} version 1"],
    }


async def test_eight_texts(
    python: Path, tmp_path: Path, int8_bundle: Bundle, embedding_task: EmbeddingTask
) -> None:
    """A batch of eight texts gets the vectors that the model gives in this process, byte for byte."""
    texts = [f"Vehicle {number} is parked in the shade." for number in range(8)]
    given = {"text": np.array([text.encode() for text in texts], np.object_)}
    told, got = await _probe(python, int8_bundle, tmp_path, given)
    wanted = np.stack([embedding_task.embed(text)[0] for text in texts])
    assert got["embedding"].tobytes() == wanted.tobytes()
    own = f"{int8_bundle.manifest.name} version {int8_bundle.manifest.version}"
    assert told["wrong_model"][1] == f"model 'other' is not here; this is {own}"
