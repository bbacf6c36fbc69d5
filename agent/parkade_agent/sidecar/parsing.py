"""Requests that are no messages at all. gRPC itself calls them UNKNOWN, as if the server had failed."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from typing_extensions import override

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Found: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class ParsingInterceptor(grpc.aio.ServerInterceptor):
    """Parses the requests of plain calls, and answers INVALID_ARGUMENT to bytes that are not the method's message."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    @override
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Found]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Found:
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or handler.request_deserializer is None:
            return handler
        method = handler_call_details.method
        if method not in self._handlers:
            self._handlers[method] = _parsing(handler, handler.unary_unary, handler.request_deserializer)
        return self._handlers[method]


def _parsing(handler: Handler, answer: Callable[..., Any], parse: Callable[[bytes], Any]) -> Handler:
    async def call(raw: bytes, context: Context) -> Any:
        try:
            request = parse(raw)
        except DecodeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request is no message: {error}")
        return await answer(request, context)

    return grpc.unary_unary_rpc_method_handler(call, None, handler.response_serializer)
