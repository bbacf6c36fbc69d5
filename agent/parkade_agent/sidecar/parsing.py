"""Requests that are no messages at all. gRPC itself calls them UNKNOWN, as if the server had failed."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from inspect import isasyncgenfunction
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from typing_extensions import override

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Found: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class ParsingInterceptor(grpc.aio.ServerInterceptor):
    """Answers INVALID_ARGUMENT to bytes that are not the method's message; for all methods that take one request."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    @override
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Found]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Found:
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming or handler.request_deserializer is None:
            return handler
        method = handler_call_details.method
        if method not in self._handlers:
            self._handlers[method] = _parsing(handler, handler.request_deserializer)
        return self._handlers[method]


def _parsing(handler: Handler, parse: Callable[[bytes], Any]) -> Handler:
    # The stubs know gRPC's synchronous handlers only.
    plain: Any = handler.unary_unary
    stream: Any = handler.unary_stream

    async def request_of(raw: bytes, context: Context) -> Any:
        try:
            return parse(raw)
        except DecodeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request is no message: {error}")

    async def call(raw: bytes, context: Context) -> Any:
        return await plain(await request_of(raw, context), context)

    async def call_stream(raw: bytes, context: Context) -> None:
        request = await request_of(raw, context)
        if not isasyncgenfunction(stream):
            await stream(request, context)
            return
        async with aclosing(stream(request, context)) as messages:
            async for message in messages:
                await context.write(message)

    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(call_stream, None, handler.response_serializer)
    return grpc.unary_unary_rpc_method_handler(call, None, handler.response_serializer)
