"""What a container printed, as `kubectl logs` asks for it."""

from collections.abc import AsyncGenerator, Iterable

from parkade_agent.runtime.output import ContainerLog, Output, stamp
from parkade_core.logs import LogOptions, select, shown
from parkade_operator.kubelet.api import NoLogs

_NANOSECONDS_A_MILLISECOND = 1_000_000


async def read_log(log: ContainerLog, options: LogOptions) -> AsyncGenerator[bytes, None]:
    """The lines there are, then, for a follower, those that come until the run ends. Raises NoLogs."""
    output = log.run(previous=options.previous)
    if output is None:
        raise NoLogs("there is no such run of the container")
    since = stamp((options.since_unix_milliseconds or 0) * _NANOSECONDS_A_MILLISECOND)
    changed = output.next()
    lines = list(_kept(output))
    yield _text(select(lines, since, options.tail_lines), options)
    last = lines[-1] if lines else b""
    while options.follow and not output.is_over:
        await changed.wait()
        changed = output.next()
        lines = [line for line in _kept(output) if line > last]
        last = lines[-1] if lines else last
        yield _text(select(lines, since, None), options)


def _text(lines: Iterable[bytes], options: LogOptions) -> bytes:
    return b"".join(shown(line, timestamps=options.timestamps) for line in lines)


def _kept(output: Output) -> Iterable[bytes]:
    for file in (output.older, output.path):
        if file.exists():
            with file.open("rb") as lines:
                yield from lines
