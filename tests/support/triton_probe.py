"""What an unmodified Triton client does with a sidecar. Run by the interpreter of an environment that has one.

`python triton_probe.py SOCKET MODEL IN.npz OUT.npz` sends the arrays of IN by the names that the model's metadata has,
asks for the outputs in the reverse of their order, leaves them in OUT, and prints what it was told as JSON.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from tritonclient import grpc as triton
from tritonclient.utils import InferenceServerException


def main(socket: str, model: str, given: str, got: str) -> None:
    """Asks everything once."""
    client = triton.InferenceServerClient(f"unix:{socket}")
    metadata = client.get_model_metadata(model)
    inputs = _inputs(metadata, np.load(given))
    outputs = [triton.InferRequestedOutput(each.name) for each in reversed(metadata.outputs)]
    result = client.infer(model, inputs, request_id="42", outputs=outputs)
    np.savez(got, **{output.name: _plain(result.as_numpy(output.name)) for output in metadata.outputs})
    response = result.get_response()
    told = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": [client.is_model_ready(model), client.is_model_ready("other")],
        "server": client.get_server_metadata(as_json=True)["name"],
        "id": response.id,
        "order": [output.name for output in response.outputs],
        "wrong_shape": _refusal(lambda: client.infer(model, [_flat(metadata), *inputs[1:]])),
        "wrong_model": _refusal(lambda: client.infer("other", inputs)),
    }
    json.dump(told, sys.stdout)


def _inputs(metadata: Any, arrays: Any) -> list[Any]:
    inputs = []
    for described in metadata.inputs:
        array = arrays[described.name]
        inputs.append(triton.InferInput(described.name, list(array.shape), described.datatype))
        inputs[-1].set_data_from_numpy(array)
    return inputs


def _flat(metadata: Any) -> Any:
    """The first input with a size too many."""
    first = metadata.inputs[0]
    shape = [1] * (len(first.shape) + 1)
    wrong = triton.InferInput(first.name, shape, first.datatype)
    wrong.set_data_from_numpy(np.zeros(shape, triton.triton_to_np_dtype(first.datatype)))
    return wrong


def _plain(array: Any) -> Any:
    return array.astype(np.bytes_) if array.dtype == np.object_ else array


def _refusal(call: Callable[[], object]) -> list[str]:
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return []


if __name__ == "__main__":
    main(*sys.argv[1:])
