"""`Shards.Run`: a shard by reference. Bytes never cross the socket; the call names files in the slot's folder."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, closing
from typing import Any, Final, NoReturn

import grpc
import structlog
from typing_extensions import override

from parkade_agent.sidecar.checkpoint import Checkpoint, shard_key
from parkade_agent.sidecar.errors import (
    FileRefusedError,
    NoSpaceError,
    ResultRefusedError,
    SidecarError,
    WrongDigestError,
)
from parkade_agent.sidecar.folder import SlotFolder
from parkade_agent.sidecar.lanes import Lanes
from parkade_agent.sidecar.model import Model
from parkade_agent.sidecar.shard import Result, ShardRun, read_records
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_models.errors import OutOfMemoryError, StoppedError

_log = structlog.get_logger()

_NO_MEMORY: Final = "the shard needs more memory than there is"
_BUSY_SECONDS: Final = 3.0  # so that a runner which comes back finds the shard of the one before let go
_STATUS: Final = {
    FileRefusedError: grpc.StatusCode.NOT_FOUND,
    NoSpaceError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ResultRefusedError: grpc.StatusCode.FAILED_PRECONDITION,
    WrongDigestError: grpc.StatusCode.DATA_LOSS,
}


class ShardsService(vehicle_pb2_grpc.ShardsServicer):
    """Runs one shard at a time on all lanes; the next waits a moment for the one before."""

    def __init__(
        self, model: Model, lanes: Lanes, folder: SlotFolder, end: Callable[[str], NoReturn]
    ) -> None:
        """*end* ends the sidecar, which has no memory left, with these last words."""
        self._end = end
        self._model = model
        self._lanes = lanes
        self._folder = folder
        self._busy = asyncio.Lock()

    @override
    async def Run(
        self, request: vehicle_pb2.RunRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[vehicle_pb2.RunProgress]:
        try:
            async with asyncio.timeout(_BUSY_SECONDS):
                await self._busy.acquire()
        except TimeoutError:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "a shard is running; one at a time")
        try:
            async with aclosing(self._run(request)) as progress:
                async for message in progress:
                    yield message
        except SidecarError as error:
            await context.abort(_STATUS[type(error)], str(error))
        except StoppedError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except (OutOfMemoryError, MemoryError) as error:
            # What memory there is says nothing of the record: it gets no error line, and the sidecar a new life.
            self._end(f"{_NO_MEMORY}: {error}" if str(error) else _NO_MEMORY)
        finally:
            self._busy.release()

    async def _run(self, request: vehicle_pb2.RunRequest) -> AsyncGenerator[vehicle_pb2.RunProgress, None]:
        started = time.process_time_ns()
        # Megabytes are read and joined beside the event loop: plain calls and the owner's stop do not wait for them.
        run, checkpoint = await asyncio.to_thread(self._open, request)
        with closing(checkpoint):
            _log.info("shard begun", input=request.input_name, records=run.total, done_before=run.done)
            async with aclosing(self._lanes.run_shard(run)) as progress:
                async for done in progress:
                    if not self._folder.has(request.input_name):
                        raise FileRefusedError(
                            f"{request.input_name} was taken away: nobody wants its result"
                        )
                    if done < run.total:
                        yield vehicle_pb2.RunProgress(records_done=done, records_total=run.total)
            result = await asyncio.to_thread(self._finish, request, run, checkpoint)
        outcome = _outcome(result, time.process_time_ns() - started)
        outcome.reproducibility_class = self._model.reproducibility_class
        yield vehicle_pb2.RunProgress(records_done=run.total, records_total=run.total, outcome=outcome)
        _log.info("shard done", input=request.input_name, records=run.total, failed=result.failed)

    def _open(self, request: vehicle_pb2.RunRequest) -> tuple[ShardRun, Checkpoint]:
        content = self._folder.read(request.input_name)
        records = read_records(content, request.input_sha256)
        model = self._model
        key = shard_key(
            request.input_sha256, request.input_digest, model.bundle.digest, model.reproducibility_class
        )
        checkpoint = Checkpoint(self._folder, key, len(records))
        return ShardRun(model.task, records, request.input_digest, checkpoint), checkpoint

    def _finish(self, request: vehicle_pb2.RunRequest, run: ShardRun, checkpoint: Checkpoint) -> Result:
        result = run.result()
        self._folder.write(request.result_name, result.content)
        checkpoint.remove()
        return result


def _outcome(result: Result, cpu_nanoseconds: int) -> vehicle_pb2.ShardOutcome:
    return vehicle_pb2.ShardOutcome(
        size=len(result.content),
        output_size=result.output_size,
        sha256=result.sha256,
        succeeded=result.succeeded,
        failed=result.failed,
        cpu_nanoseconds=cpu_nanoseconds,
    )
