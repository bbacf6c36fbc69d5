"""`kubectl parkade model`: from an ONNX file to a signed bundle.

All work is in parkade_models. It is imported by the command that needs it: the other commands of `kubectl parkade`
start at once, and work where the extra `models` is not installed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from parkade_cli.output import Output
from parkade_models.errors import ModelsError

EXIT_REFUSED = 3
"""No recipe keeps the gate, or the bundle is not what it should be; 1 means that the command could not do its work."""

app = typer.Typer(name="model", no_args_is_help=True, help="Make, inspect, sign and verify model bundles.")

_Output = Annotated[Output, typer.Option("--output", "-o", help="For people, or as one JSON object.")]


@app.command()
def inspect(
    path: Path,
    *,
    describe: Annotated[Path | None, typer.Option(help="Write a draft of a description: a new file.")] = None,
    output: _Output = Output.TEXT,
) -> None:
    """Show what an ONNX file or a bundle holds, what it computes in, and whether a vehicle would take it."""
    with _words():
        from parkade_cli import model_tools

        model_tools.inspect(path, describe, output)


@app.command()
def quantize(
    model: Path,
    *,
    describe: Annotated[Path, typer.Option(help="What the model is, JSON; `inspect` writes a draft of it.")],
    data: Annotated[
        Path, typer.Option(help="Held-out data: lines of query and match, input and label, or input.")
    ],
    out: Annotated[Path, typer.Option(help="The new bundle's folder.")],
    calibrate: Annotated[Path | None, typer.Option(help="Default: a part of the data, kept back.")] = None,
    gate: Annotated[float, typer.Option(min=0, max=1, help="Share of float32's metric to keep.")] = 0.99,
    picture: Annotated[
        Path | None, typer.Option(help="Draw metric against speed into this SVG file.")
    ] = None,
    output: _Output = Output.TEXT,
) -> None:
    """Search the fastest INT8 recipe that keeps the model's quality, and write its bundle; 3 when none does."""
    with _words():
        from parkade_cli import model_search

        order = model_search.Order(model, describe, data, calibrate, gate)
        is_good = model_search.quantize(order, out, picture, output)
    _exit(is_good=is_good)


@app.command()
def sign(
    bundle: Path, *, key: Annotated[Path, typer.Option(help="The publisher's private key, PEM.")]
) -> None:
    """Sign a bundle: write bundle.sig, over bundle.json and every file that it names."""
    with _words():
        from parkade_cli import model_tools

        model_tools.sign(bundle, key)


@app.command()
def verify(
    bundle: Path,
    *,
    key: Annotated[
        list[Path] | None, typer.Option(help="Public key of a publisher, PEM; may come often.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Data with labels, to score the bundle again.")] = None,
    output: _Output = Output.TEXT,
) -> None:
    """Verify a bundle: what a vehicle checks and, beyond that, integer products and quality; 3 when one is wrong."""
    with _words():
        from parkade_cli import model_tools

        is_good = model_tools.verify(bundle, key or [], data, output)
    _exit(is_good=is_good)


def _exit(*, is_good: bool) -> None:
    if not is_good:
        raise typer.Exit(EXIT_REFUSED)


@contextmanager
def _words() -> Iterator[None]:
    """Ends the command with one sentence instead of a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except ModuleNotFoundError as error:
        cure = "pip install '.[cli,models]' in a clone"
        problem = f"{error.name} is missing; these commands need the extra models: {cure}"
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (ModelsError, ValueError) as error:
        problem = str(error)
    else:
        return
    typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(1)
