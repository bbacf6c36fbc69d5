"""`kubectl parkade`: every command, and what it calls."""

import typer
from rich.console import Console

from parkade_cli.cluster import ApiServer, ClusterError
from parkade_cli.watch import LiveView
from parkade_cli.watch import watch as watch_cluster

app = typer.Typer(name="kubectl parkade", no_args_is_help=True, add_completion=False)


@app.callback()
def root() -> None:
    """Parked vehicles that run INT8 batches: what people want to see of them."""


@app.command()
def watch(*, once: bool = typer.Option(False, help="Show the state of now and end.")) -> None:
    """Show vehicles (state, why, taints) and batches (shards, progress, ETA) as they change."""
    try:
        watch_cluster(ApiServer(), LiveView(Console()), lambda _: once)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except ClusterError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
