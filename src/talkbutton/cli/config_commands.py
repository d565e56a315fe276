"""``talkbutton config``: look at the settings, and at what is rendered from them."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from talkbutton.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, told_plainly
from talkbutton.errors import StackError
from talkbutton.operate.stack.prepare import settings_in_force
from talkbutton.rules.admission.exposure import exposure
from talkbutton.rules.render import Front, Places, render_all, render_front
from talkbutton.rules.render.firewall import (
    Zone,
    render_groups,
    render_groups_json,
    render_nftables,
    render_ufw,
    zone_rules,
)
from talkbutton.settings.load import load_secrets, load_settings, secrets_path
from talkbutton.settings.model import Secrets, Settings
from talkbutton.settings.reference import settings_reference
from talkbutton.settings.secrets import hidden_secrets

__all__ = ["config_app"]

config_app = typer.Typer(help="Check the settings; render every part's configuration.")


@config_app.command()
def check(settings: SettingsFile = DEFAULT_SETTINGS) -> None:
    """Say whether the settings and secrets can be used, and what is wrong if not.

    Example: talkbutton config check
    """
    with told_plainly():
        load_settings(settings, os.environ)
        load_secrets(secrets_path(settings), os.environ)
    typer.echo(f"{settings} and {secrets_path(settings)} are fine")


@config_app.command()
def render(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")],
    with_secrets: Annotated[
        bool,
        typer.Option("--with-secrets", help="Write the secrets too, not what stands for them."),
    ] = False,
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """Write the configuration of coturn, Asterisk and Janus, as `up` uses it but for the secrets.

    Examples: `talkbutton config render --out rendered`,
    `talkbutton config render --out rendered --with-secrets`
    """
    with told_plainly():
        loaded = settings_in_force(load_settings(settings, os.environ), settings.absolute().parent)
        secrets = load_secrets(secrets_path(settings), os.environ)
        _write(loaded, secrets if with_secrets else hidden_secrets(), out)


@config_app.command("exposure")
def exposure_command(
    settings: SettingsFile = DEFAULT_SETTINGS,
    addresses: Annotated[
        int, typer.Option("--addresses", help="How many addresses the attacker has.", min=1)
    ] = 100,
    as_json: AsJson = False,
) -> None:
    """Say what an attacker could cost each site at these limits, in the worst case.

    Examples: `talkbutton config exposure`, `talkbutton config exposure --addresses 1 --json`
    """
    with told_plainly():
        loaded = load_settings(settings, os.environ)
    found = {site: exposure(loaded, site, addresses=addresses) for site in loaded.sites}
    if as_json:
        typer.echo(json.dumps({site: asdict(one) for site, one in found.items()}, indent=2))
        return
    for site, one in found.items():
        typer.echo(
            f"{site}: {addresses} addresses get {one.minutes_per_hour:g} minutes of calls an hour, "
            f"{one.minutes_per_day:g} a day"
            + (f" for {one.money_per_day:.2f}" if one.money_per_day else "")
        )


@config_app.command()
def reference() -> None:
    """Print what can be set, with defaults, as Markdown.

    Example: talkbutton config reference
    """
    typer.echo(settings_reference(), nl=False)


@config_app.command()
def front(
    proxy: Annotated[Front, typer.Argument(help="Which proxy: caddy, nginx or haproxy.")],
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """Print the configuration of a reverse proxy before the edge, for automatic certificates.

    Example: talkbutton config front caddy > Caddyfile
    """
    with told_plainly():
        typer.echo(render_front(proxy, load_settings(settings, os.environ)), nl=False)


@config_app.command()
def firewall(
    zone: Annotated[Zone, typer.Option("--zone", help="The machine's part of the deployment.")],
    form: Annotated[
        Literal["nftables", "ufw", "security-groups"], typer.Option("--form", help="Whose words.")
    ] = "nftables",
    settings: SettingsFile = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Print the firewall of one zone's machines; nothing is changed on this one.

    Examples: `talkbutton config firewall --zone all-in-one | nft -f -`,
    `talkbutton config firewall --zone edge --form ufw`,
    `talkbutton config firewall --zone core --form security-groups --json`
    """
    if as_json and form != "security-groups":
        raise typer.BadParameter("only --form security-groups has JSON")
    with told_plainly():
        rules = zone_rules(load_settings(settings, os.environ), zone)
    write = {"nftables": render_nftables, "ufw": render_ufw, "security-groups": render_groups}[form]
    typer.echo((render_groups_json if as_json else write)(rules), nl=False)


def _write(loaded: Settings, secrets: Secrets, out: Path) -> None:
    rendered = render_all(loaded, secrets, Places(loaded.network.media_address))
    try:
        for part, files in rendered.items():
            folder = out / part
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, text in files.items():
                path = folder / name
                path.unlink(missing_ok=True)
                path.touch(mode=0o600)
                path.write_text(text, encoding="utf-8")
                typer.echo(path)
    except OSError as exc:
        raise StackError(
            "config", f"{exc.filename} cannot be written: {exc.strerror}", hint="name another --out"
        ) from exc
