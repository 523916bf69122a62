"""`sightline configure` and `sightline clear`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.output import confirm, say
from sightline.client.profiles import DEFAULT_PROFILE, DEFAULT_URL, config_path


def configure(
    name: Annotated[str | None, typer.Option(help="Profile to write. Asked for when left out.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option(help="The API key. Better left out and asked for: others can see a command line."),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File that holds the API key."),
    ] = None,
    api_url: Annotated[str | None, typer.Option(help="Address of the service; asked for too.")] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Ask the service whether it accepts the key.")
    ] = True,
) -> None:
    """Say which service to talk to, and as whom.

    Asks for what is not given, and stores it in a profile that only you can read. SIGHTLINE_URL and
    SIGHTLINE_API_KEY override the profile; SIGHTLINE_CONFIG names another file.

    Examples:

      sightline configure

      sightline configure --name default --api-key-file .data/service/admin.key --api-url http://127.0.0.1:8000
    """
    from sightline.cli.profile import store
    from sightline.errors import SightlineError

    if api_key and api_key_file:
        raise SightlineError("--api-key and --api-key-file name two keys; give one of them.")
    if api_key_file:
        api_key = api_key_file.read_text(encoding="utf-8", errors="replace").strip()
    given = api_key is not None
    name = name or (DEFAULT_PROFILE if given else typer.prompt("Profile Name", default=DEFAULT_PROFILE))
    if not given:
        # getpass needs a terminal; in a pipe nothing is echoed anyway.
        api_key = typer.prompt("Sightline API Key", hide_input=sys.stdin.isatty())
    api_url = api_url or (DEFAULT_URL if given else typer.prompt("Sightline URL", default=DEFAULT_URL))
    assert name is not None
    assert api_key is not None
    assert api_url is not None
    store(name, api_key, api_url, activate=True, check=check)


def clear(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove the stored configuration: all profiles with their keys.

    Examples:

      sightline clear

      sightline clear --yes
    """
    path = config_path()
    if not path.exists():
        say(f"nothing to remove: there is no {path}")
        return
    confirm(f"Remove all profiles in {path}?", yes)
    path.unlink()
    say(f"removed {path}")
