"""`kubectl parkade`: every command, and what it calls."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_cli import enrolment, model
from parkade_cli import quarantine as quarantining
from parkade_cli.cluster import ApiServer, ClusterError, ReleaseObjects
from parkade_cli.output import Output
from parkade_cli.watch import LiveView
from parkade_cli.watch import watch as watch_cluster

app = typer.Typer(name="kubectl parkade", no_args_is_help=True, add_completion=False)
app.add_typer(model.app)


@app.callback()
def root() -> None:
    """Parked vehicles that run INT8 batches: what people want to see of them."""


@app.command()
def watch(*, once: bool = typer.Option(False, help="Show the state of now and end.")) -> None:
    """Show vehicles (state, why, taints) and batches (shards, progress, ETA) as they change."""
    with _words():
        watch_cluster(ApiServer(), LiveView(Console()), lambda _: once)


_NAMESPACE = typer.Option(SYSTEM_NAMESPACE, "--namespace", "-n", help="Namespace of the Helm release.")
_OUTPUT = typer.Option(Output.TEXT, "--output", "-o", help="What is printed: the token alone, or all of it.")
_CLAIMS = typer.Option([], "--claim", metavar="NAME=VALUE", help="Becomes the Node's label parkade.dev/NAME.")


@app.command()
def enroll(
    vehicle: str,
    *,
    claim: list[str] = _CLAIMS,
    expires: str = typer.Option("1h", help="How long the token is good: 30m, 1h, 7d."),
    output: Output = _OUTPUT,
    namespace: str = _NAMESPACE,
) -> None:
    """Print a one-time token that makes a vehicle a member of the fleet."""
    with _words():
        claims, seconds = enrolment.claims_of(claim), enrolment.seconds_of(expires)
        made = enrolment.enroll(ReleaseObjects(namespace), vehicle, claims, seconds)
    until = made.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    if output is Output.JSON:
        typer.echo(json.dumps({"vehicle": vehicle, "claims": claims, "expires": until, "token": made.token}))
    else:
        typer.echo(made.token)
    typer.echo(
        f"A token for vehicle {vehicle}, good for one key until {until}. Keep it secret. Put it into a file in the "
        "vehicle, name the file in PARKADE_ENROLMENT_TOKEN_FILE and start parkade-agent: it makes its own key, gets "
        f"its certificate, and the Node vehicle-{vehicle} appears.",
        err=True,
    )


@app.command()
def revoke(vehicle: str, *, namespace: str = _NAMESPACE) -> None:
    """Make every certificate and token of a vehicle void; its session ends within seconds."""
    with _words():
        moment = enrolment.revoke(ReleaseObjects(namespace), vehicle)
    typer.echo(
        f"vehicle {vehicle} is revoked: nothing that it was given before {moment:%Y-%m-%dT%H:%M:%SZ} is valid. "
        f"To let it in again: kubectl parkade enroll {vehicle}"
    )


@app.command()
def quarantine(
    vehicle: str, *, why: str = typer.Option(..., help="Shown on the Node and to the vehicle's owner.")
) -> None:
    """Trust a vehicle no more: it gets no new work, and what runs may finish."""
    with _words():
        quarantining.quarantine(ApiServer(), vehicle, why)
    typer.echo(f"vehicle {vehicle} is in quarantine: {why}. To end it: kubectl parkade release {vehicle}")


@app.command()
def release(vehicle: str) -> None:
    """Trust a vehicle again that was in quarantine."""
    with _words():
        quarantining.release(ApiServer(), vehicle)
    typer.echo(f"vehicle {vehicle} is trusted again")


@contextmanager
def _words() -> Iterator[None]:
    """Ends the command with one sentence instead of a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (ClusterError, enrolment.EnrolmentError, quarantining.QuarantineError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
