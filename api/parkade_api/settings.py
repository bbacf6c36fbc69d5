"""How every process reads its settings: kebab-case flags come before variables `PARKADE_*`."""

import sys
from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

EXIT_SETTINGS = 2
S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S], program: str, arguments: Sequence[str] | None = None) -> S:
    """The settings from *arguments* (default: of this process) and the environment.

    Ends the process with exit code 2 when one is missing or wrong: one line on stderr for each, naming its flag
    and its variable.
    """
    flags = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return settings(_cli_parse_args=flags, _cli_prog_name=program, _cli_kebab_case=True)
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for problem in error.errors():
            sys.stderr.write(f"{program}: {_sentence(problem, prefix)}\n")
        sys.exit(EXIT_SETTINGS)


def _sentence(problem: ErrorDetails, prefix: str) -> str:
    if not problem["loc"]:  # of several settings together
        return problem["msg"].removeprefix("Value error, ")
    name = str(problem["loc"][0])
    given = "" if problem["type"] == "missing" else f", not {problem['input']!r}"
    return f"--{name.replace('_', '-')} or {prefix}{name.upper()}: {problem['msg']}{given}"
