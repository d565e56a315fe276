"""``talkbutton natlab``: other people's networks, on this machine."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from talkbutton.cli.options import AsJson, told_plainly
from talkbutton.operate.natlab.lab import clear_leftovers, leftovers, running_lab
from talkbutton.operate.natlab.network import NETWORKS
from talkbutton.operate.natlab.plan import SERVER_V4

__all__ = ["natlab_app"]

natlab_app = typer.Typer(help="Networks that visitors sit in, made of namespaces; needs root.")


@natlab_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the networks.

    Examples: `talkbutton natlab list`, `talkbutton natlab list --json`
    """
    if as_json:
        found = {network.name: network.says for network in NETWORKS.values()}
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("network", "what it stands for")
    for network in NETWORKS.values():
        table.add_row(network.name, network.says)
    Console(highlight=False).print(table)


@natlab_app.command()
def run(
    network: Annotated[str, typer.Argument(help="A network; see `talkbutton natlab list`.")],
    command: Annotated[list[str], typer.Argument(help="What to run at the visitor.")],
    server: Annotated[
        str | None, typer.Option("--server", help="A command for the server's end, run by sh.")
    ] = None,
) -> None:
    """Run a command as a visitor in that network; ends with the command's exit code.

    The server's end is 203.0.113.10; what --server starts there is ended with the command.

    Example: talkbutton natlab run symmetric --server "talkbutton up" -- curl http://203.0.113.10/
    """
    if network not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise typer.BadParameter(f"{network} is no network; networks are {known}")
    with told_plainly(), running_lab(NETWORKS[network]) as lab:
        if server is not None:
            lab.popen("server", ["sh", "-c", server])
        if lab.proxy_url is not None:
            typer.echo(f"the visitor's only way out is the proxy {lab.proxy_url}", err=True)
        typer.echo(f"the server is {SERVER_V4}", err=True)
        code = lab.popen("visitor", command).wait()
    raise typer.Exit(code)


@natlab_app.command()
def clean() -> None:
    """Remove what killed laboratories left behind.

    Example: talkbutton natlab clean
    """
    found = leftovers()
    clear_leftovers()
    typer.echo(f"removed {len(found)} namespaces" if found else "nothing is left behind")
