"""One ONNX graph in one onnxruntime session: one thread a run, no spinning, stoppable between two nodes.

Lanes call `run` at the same time; onnxruntime releases the GIL while a graph runs.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime as ort
import structlog
from numpy.typing import NDArray

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError, BundleError, OutOfMemoryError, StoppedError

Arrays = Mapping[str, NDArray[Any]]
_log = structlog.get_logger()

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor as the Open Inference Protocol describes it; -1 in the shape means any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether it takes tensors of that shape; one whose sizes may be any (-1) only where its own may be, too."""
        return len(shape) == len(self.shape) and all(
            own in {-1, size} for own, size in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True, eq=False, slots=True)
class _Run:
    """A run under way."""

    options: Any = field(default_factory=ort.RunOptions)


class Session:
    """A loaded ONNX graph; *model* is the file's bytes. Raises BundleError or OutOfMemoryError.

    Bytes and not a path: what was checked is what is loaded, and nothing beside it can be named.
    """

    def __init__(self, model: bytes, name: str) -> None:
        try:
            # Its wrapper would load a model that failed a second time, and print to the log that it does.
            self._session = ort.InferenceSession(
                model, _options(), providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            if _is_out_of_memory(error):
                raise OutOfMemoryError(f"{name} needs more memory to load than there is") from error
            raise BundleError(f"{name} cannot be loaded as an ONNX model: {error}") from error
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self._lock = threading.Lock()
        self._running = set[_Run]()
        self._begun = dict[int, float]()  # by thread, in seconds of its own CPU clock
        self._is_stopped = False
        self.observe: Callable[[Arrays], None] | None = None
        """Told the feeds of every run when set: how quantization sees what a task makes of a record."""

    def run(self, outputs: Sequence[str], feeds: Arrays) -> list[NDArray[Any]]:
        """The tensors *outputs* for *feeds*. Raises BadRecordError, OutOfMemoryError, or StoppedError while stopped."""
        if self.observe is not None:
            self.observe(feeds)
        run = _Run()
        with self._lock:
            if self._is_stopped:
                raise StoppedError("no run may begin: the cores are wanted back; ask again")
            self._running.add(run)
        try:
            self._mark()
            results: list[NDArray[np.generic]] = self._session.run(outputs, dict(feeds), run.options)
        except Exception as error:
            raise self._failure(run, error) from error
        else:
            return results
        finally:
            self._mark()
            with self._lock:
                self._running.discard(run)

    def _failure(self, run: _Run, error: Exception) -> Exception:
        if run.options.terminate:
            return StoppedError("the run was ended: its core is wanted back; ask again")
        if _is_out_of_memory(error):
            return OutOfMemoryError(f"a run needs more memory than there is: {error}")
        # Error files hold the same bytes whichever vehicle wrote them: onnxruntime's words go to the log.
        _log.warning("inference failed", error=str(error))
        return BadRecordError(RecordError.INFERENCE_FAILED, "The model could not be run on this record.")

    def stop(self) -> int:
        """Ends every run under way and takes no others until `resume`; how many were ended.

        onnxruntime looks between two nodes of the graph, so a run ends when the node in hand does: within
        milliseconds where nodes are short.
        """
        with self._lock:
            self._is_stopped = True
            for run in self._running:
                run.options.terminate = True
            return len(self._running)

    def resume(self) -> None:
        """Takes runs again."""
        with self._lock:
            self._is_stopped = False

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Has `longest_step` see what the thread does meanwhile; each run in it begins and ends a step of its own."""
        thread = threading.get_ident()
        with self._lock:
            self._begun[thread] = time.thread_time()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[thread]

    def _mark(self) -> None:
        """A step of this thread ends and the next begins, if it is timed."""
        thread = threading.get_ident()
        # Only the thread itself adds and removes its entry, so setting one that is there needs no lock.
        if thread in self._begun:
            self._begun[thread] = time.thread_time()

    def longest_step(self) -> float:
        """CPU seconds that the longest step under way has used so far; 0 when there is none.

        A step is a run, or what a record needs before and after its runs. A frozen thread uses no CPU time.
        """
        with self._lock:
            return max((_cpu_seconds(thread) - begun for thread, begun in self._begun.items()), default=0.0)


def _cpu_seconds(thread: int) -> float:
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


def _is_out_of_memory(error: Exception) -> bool:
    # onnxruntime says so in words only: its arena's, or those of C++'s allocator.
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("Failed to allocate memory", "bad_alloc")
    )


def _spec(node: Any) -> TensorSpec:
    if node.type not in _DATATYPES:
        raise BundleError(f"tensor {node.name} has type {node.type}, which cannot be served")
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    return TensorSpec(node.name, _DATATYPES[node.type], shape)


def _options() -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
