"""What a container printed, as `kubectl logs` asks for it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, closing

from parkade_agent.runtime.output import ContainerLog
from parkade_agent.runtime.tape import Tape, read
from parkade_core.logs import LogOptions
from parkade_operator.kubelet.api import NoLogs


async def read_log(log: ContainerLog, options: LogOptions) -> AsyncGenerator[bytes, None]:
    """The chunks of the run that is asked for. Raises NoLogs when there was none."""
    output = log.run(previous=options.previous)
    if output is None:
        raise NoLogs("there is no such run of the container")
    with closing(Tape(output)) as tape:
        async with aclosing(read(tape, options)) as chunks:
            async for chunk in chunks:
                yield chunk
