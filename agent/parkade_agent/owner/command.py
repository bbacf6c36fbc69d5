"""`parkade-agent VERB`: the owner's command line. It works on files, whether the agent runs or not, offline too.

Exit codes: 0 done; 1 not done, with the reason; 2 not understood.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from parkade_agent.errors import AgentError
from parkade_agent.owner import explaining, verbs
from parkade_agent.owner.consenting import LIFETIME
from parkade_agent.owner.desk import Desk
from parkade_agent.settings import Places
from parkade_api.settings import EXIT_SETTINGS
from parkade_core.vehicle.consent import SCOPES

Verb = Callable[[Desk, argparse.Namespace], str]
_PROGRAM: Final = "parkade-agent"
_EXIT_REFUSED: Final = 1


def main(arguments: Sequence[str]) -> int:
    """Does what the owner asks and returns the exit code."""
    asked = parser().parse_args(arguments)
    try:
        with Desk(_places(asked), asked.vehicle) as desk:
            verb: Verb = asked.verb
            sys.stdout.write(f"{verb(desk, asked)}\n")
    except ValidationError:
        return _refused(
            "say where the vehicle's state folder is: --state-dir or PARKADE_STATE_DIR", EXIT_SETTINGS
        )
    except AgentError as error:
        return _refused(str(error), _EXIT_REFUSED)
    except OSError as error:
        return _refused(f"{error.filename or 'a file'}: {os.strerror(error.errno or 0)}", _EXIT_REFUSED)
    return 0


def _refused(words: str, code: int) -> int:
    sys.stderr.write(f"{_PROGRAM}: {words}\n")
    return code


def _places(asked: argparse.Namespace) -> Places:
    given = {name: getattr(asked, name) for name in ("state_dir", "owner_dir")}
    return Places(**{name: path for name, path in given.items() if path is not None})


def parser() -> argparse.ArgumentParser:
    """Every verb, with what it does as `verb`."""
    whole = argparse.ArgumentParser(_PROGRAM, description="What the owner of a vehicle can say and see.")
    verbs_of = whole.add_subparsers(required=True, metavar="VERB")
    why = "say why the vehicle earns or not, and what would change it"
    _output(_command(verbs_of, "explain", explaining.explain, why))
    _output(_command(verbs_of, "status", explaining.status, "say how agent, consent and limits stand"))
    pause = _command(verbs_of, "pause", verbs.pause, "stop all work until resumed")
    pause.add_argument("why", nargs="*", help="a note to yourself")
    _command(verbs_of, "resume", verbs.resume, "end the pause")
    _add_owner(verbs_of.add_parser("owner", help="the owner's key"))
    _add_consent(verbs_of.add_parser("consent", help="what the owner agrees to"))
    return whole


def _add_owner(parser: argparse.ArgumentParser) -> None:
    verbs_of = parser.add_subparsers(required=True, metavar="VERB")
    words = "make the owner's key and give the vehicle its public half"
    init = _command(verbs_of, "init", verbs.init, words)
    init.add_argument(
        "--key", type=Path, required=True, help="where the private key goes: out of the vehicle"
    )


def _add_consent(parser: argparse.ArgumentParser) -> None:
    verbs_of = parser.add_subparsers(required=True, metavar="VERB")
    _output(_command(verbs_of, "show", verbs.show, "show what was agreed to, and what the pool asks"))
    grant = _command(verbs_of, "grant", verbs.grant, "agree to a pool's terms")
    grant.add_argument("--terms", required=True, help="version of the terms")
    _wishes(grant)
    _signing(grant, lifetime=True)
    renew = _command(verbs_of, "renew", verbs.renew, "agree to the same once more, from now on")
    _signing(renew, lifetime=True)
    narrow = _command(verbs_of, "narrow", verbs.narrow, "agree to less: name what stays")
    _wishes(narrow)
    _signing(narrow)
    _command(verbs_of, "receipts", verbs.receipts, "verify what the vehicle signed when it wiped")
    revoke = _command(verbs_of, "revoke", verbs.revoke, "stop and wipe now, and leave a signed receipt")
    _signing(revoke)


def _command(commands: Any, name: str, verb: Verb, words: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    command.set_defaults(verb=verb)
    command.add_argument("--state-dir", type=Path, help="the vehicle's state folder (PARKADE_STATE_DIR)")
    command.add_argument("--owner-dir", type=Path, help="the owner's folder (PARKADE_OWNER_DIR)")
    command.add_argument("--vehicle", default="", help="the vehicle's id, when it has no certificate yet")
    return command


def _output(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _wishes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--scope", action="append", choices=sorted(SCOPES), help="kind of data; may come again"
    )
    command.add_argument("--hours", action="append", help="such as 22:00-06:00 or 'mon-fri 22:00-06:00'")
    command.add_argument("--place", action="append", help="home, work or depot")
    command.add_argument("--energy-share", type=int, help="percent of the pool's daily energy")


def _signing(command: argparse.ArgumentParser, *, lifetime: bool = False) -> None:
    command.add_argument("--key", type=Path, required=True, help="the owner's private key")
    if lifetime:
        command.add_argument(
            "--for", dest="lifetime", default=LIFETIME, help="12h or 365d (default: %(default)s)"
        )
