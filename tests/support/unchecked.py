"""Loads bundles as the sidecar does, but with nothing checked before: `unchecked.py FOLDER...`, each in a fork.

Started by the real launcher, under its limits, which every fork inherits. Prints one JSON object a bundle.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path

from parkade_agent.sidecar import __main__ as sidecar
from parkade_agent.sidecar.loading import open_bundle
from parkade_models.bundle import load_bundle

_LONGEST_SECONDS = 240  # of the clock, for a child that waits and uses no CPU time; busy machines are slow


def _main() -> None:
    for folder in map(Path, sys.argv[1:]):
        words = folder.with_suffix(".words")
        if (child := os.fork()) == 0:
            signal.alarm(_LONGEST_SECONDS)
            os._exit(_load(folder, words))
        _, status, usage = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps(_line(folder, code if code >= 0 else 128 - code, words, usage)), flush=True)  # noqa: T201


def _line(folder: Path, code: int, words: Path, usage: resource.struct_rusage) -> dict[str, object]:
    return {
        "name": folder.name,
        "exit_code": code,
        "words": words.read_text(encoding="utf-8", errors="replace"),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "most_bytes": usage.ru_maxrss * 1024,
    }


def _load(folder: Path, words: Path) -> int:
    say = sidecar.LastWords(words).say
    try:
        open_bundle(load_bundle(folder), say)
    except tuple(sidecar._EXITS) as error:
        say(str(error))
        return int(next(code for kind, code in sidecar._EXITS.items() if isinstance(error, kind)))
    return 0


_main()
