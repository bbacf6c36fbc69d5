"""One onnxruntime session for all lanes: one thread a run, no spinning, and a stop that takes milliseconds.

Lanes call `run` at the same time; onnxruntime releases the GIL while a graph runs.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import structlog
from numpy.typing import NDArray

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError, BundleError, StoppedError

_log = structlog.get_logger()


class Session:
    """A loaded ONNX graph. Raises BundleError when onnxruntime cannot load the file."""

    def __init__(self, model: Path) -> None:
        try:
            self._session = ort.InferenceSession(str(model), _options(), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise BundleError(f"{model.name} cannot be loaded as an ONNX model: {error}") from error
        self._lock = threading.Lock()
        self._running: dict[int, Any] = {}
        self._is_stopped = False

    def tensor_names(self) -> tuple[set[str], set[str]]:
        """Names of the graph's inputs and outputs."""
        inputs = {tensor.name for tensor in self._session.get_inputs()}
        return inputs, {tensor.name for tensor in self._session.get_outputs()}

    def run(self, output: str, feeds: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The tensor *output* for *feeds*. Raises BadRecordError, or StoppedError after `terminate`."""
        options = ort.RunOptions()
        with self._lock:
            if self._is_stopped:
                raise StoppedError("the session is stopping")
            self._running[id(options)] = options
        try:
            result: NDArray[np.float32] = self._session.run([output], dict(feeds), options)[0]
        except Exception as error:
            raise self._failure(error) from error
        else:
            return result
        finally:
            with self._lock:
                del self._running[id(options)]

    def _failure(self, error: Exception) -> Exception:
        if self._is_stopped:
            return StoppedError("the session is stopping")
        # Error files hold the same bytes whichever vehicle wrote them: onnxruntime's words go to the log.
        _log.warning("inference failed", error=str(error))
        return BadRecordError(RecordError.INFERENCE_FAILED, "The model could not be run on this record.")

    def terminate(self) -> None:
        """Ends every run under way within milliseconds; the session runs nothing more."""
        with self._lock:
            self._is_stopped = True
            for options in self._running.values():
                options.terminate = True


def _options() -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
