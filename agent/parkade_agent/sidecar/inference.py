"""The six calls of the Open Inference Protocol: convert, run the task on a lane, convert back."""

from collections.abc import Sequence
from reprlib import repr as shown
from typing import Any, Final

import grpc
from typing_extensions import override

from parkade_agent.sidecar.errors import BadTensorError, TooManyCallsError
from parkade_agent.sidecar.lanes import Lanes
from parkade_agent.sidecar.limits import message_limit
from parkade_agent.sidecar.model import Model
from parkade_agent.sidecar.tensors import read_inputs, wanted_outputs, write_outputs
from parkade_api import __version__
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_models.errors import BadRecordError, OutOfMemoryError, StoppedError
from parkade_models.session import TensorSpec

REPRODUCIBILITY_HEADER: Final = "parkade-reproducibility-class"
Context = grpc.aio.ServicerContext[Any, Any]

_MOST_SENTENCE: Final = 500  # characters; a status travels in a header, and clients take 8 KiB of those
_NO_MEMORY: Final = "the request needs more memory than there is; ask for fewer rows"
_TensorMetadata = oip.ModelMetadataResponse.TensorMetadata


class InferenceService(oip_grpc.GRPCInferenceServiceServicer):
    """Serves one loaded bundle, warm when the server starts; so it is ready unless the owner has the cores."""

    def __init__(self, model: Model, lanes: Lanes) -> None:
        self._manifest = model.bundle.manifest
        self._task = model.task
        self._headers = ((REPRODUCIBILITY_HEADER, model.reproducibility_class),)
        self._lanes = lanes
        self.message_limit = message_limit(model.task.inputs)

    @override
    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> oip.ServerLiveResponse:
        return oip.ServerLiveResponse(live=True)

    @override
    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> oip.ServerReadyResponse:
        return oip.ServerReadyResponse(ready=self._lanes.count > 0)

    @override
    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> oip.ModelReadyResponse:
        is_here = self._has(request.name, request.version)
        return oip.ModelReadyResponse(ready=is_here and self._lanes.count > 0)

    @override
    async def ServerMetadata(
        self, request: oip.ServerMetadataRequest, context: Context
    ) -> oip.ServerMetadataResponse:
        return oip.ServerMetadataResponse(name="parkade-sidecar", version=__version__)

    @override
    async def ModelMetadata(
        self, request: oip.ModelMetadataRequest, context: Context
    ) -> oip.ModelMetadataResponse:
        await self._check_model(request.name, request.version, context)
        # The protocol's message has no field for it.
        await context.send_initial_metadata(self._headers)
        return oip.ModelMetadataResponse(
            name=self._manifest.name,
            versions=[self._manifest.version],
            platform="onnxruntime_onnx",
            inputs=_metadata(self._task.inputs),
            outputs=_metadata(self._task.outputs),
        )

    @override
    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        await self._check_model(request.model_name, request.model_version, context)
        try:
            return await self._lanes.call(lambda: self._infer(request))
        except (BadTensorError, BadRecordError) as error:
            # A record's error is the same in every vehicle; a caller may also hear what the runtime said.
            words = f"{error} {error.__cause__ or ''}".strip()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words[:_MOST_SENTENCE])
        except StoppedError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except TooManyCallsError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except (OutOfMemoryError, MemoryError):
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _NO_MEMORY)

    def _infer(self, request: oip.ModelInferRequest) -> oip.ModelInferResponse:
        wanted = wanted_outputs(request, self._task.outputs)
        tensors = self._task.infer(read_inputs(request, self._task.inputs))
        response = write_outputs(request, tensors, wanted)
        response.model_version = self._manifest.version
        return response

    def _has(self, name: str, version: str) -> bool:
        return name == self._manifest.name and version in {"", self._manifest.version}

    async def _check_model(self, name: str, version: str, context: Context) -> None:
        if not self._has(name, version):
            asked = f"model {shown(name)} version {shown(version)}" if version else f"model {shown(name)}"
            own = f"{self._manifest.name} version {self._manifest.version}"
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{asked} is not here; this is {own}")


def _metadata(specs: Sequence[TensorSpec]) -> list[_TensorMetadata]:
    return [_TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape) for spec in specs]
