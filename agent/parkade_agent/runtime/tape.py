"""Reads what a program printed, from the files that its output is kept in, while they grow and change."""

from collections.abc import AsyncGenerator, Iterator
from typing import BinaryIO, Final

from parkade_agent.runtime.output import Output, stamp
from parkade_core.logs import LogOptions, select, shown

_NANOSECONDS_A_MILLISECOND: Final = 1_000_000


class Tape:
    """A reader's place in an output. The files change while it reads: what it has open stays."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._file: BinaryIO = output.path.open("rb")
        self._generation = output.generation

    def everything(self) -> Iterator[bytes]:
        """All lines that are kept now, once."""
        self._reopen()
        yield from self._older()
        yield from self._file

    def more(self) -> Iterator[bytes]:
        """The lines that came since the last look."""
        yield from self._file
        if (missed := self.output.generation - self._generation) > 0:
            self._reopen()
            if missed > 1:
                yield from self._older()
            yield from self._file

    def _reopen(self) -> None:
        self._file.close()
        self._file, self._generation = self.output.path.open("rb"), self.output.generation

    def _older(self) -> Iterator[bytes]:
        if self.output.older.exists():
            with self.output.older.open("rb") as older:
                yield from older

    def close(self) -> None:
        """Closes what is open."""
        self._file.close()


async def read(tape: Tape, options: LogOptions) -> AsyncGenerator[bytes, None]:
    """The lines there are, then, for a follower, those that come until the run ends."""
    output = tape.output
    since = stamp((options.since_unix_milliseconds or 0) * _NANOSECONDS_A_MILLISECOND)
    changed = output.next()
    lines = select(tape.everything(), since, options.tail_lines)
    yield b"".join(shown(line, timestamps=options.timestamps) for line in lines)
    is_over = not options.follow
    while not is_over:
        if not output.is_over:
            await changed.wait()
        # The end is looked at before the lines, so that the last ones are never missed.
        changed, is_over = output.next(), output.is_over
        lines = select(tape.more(), since, None)
        yield b"".join(shown(line, timestamps=options.timestamps) for line in lines)
