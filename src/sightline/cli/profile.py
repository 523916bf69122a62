"""`sightline profile`: several services, or several users of one."""

import sys
from typing import Annotated

import typer

from sightline.cli.commands import new_app
from sightline.cli.output import AsJson, note, print_fields, print_json, print_table, say
from sightline.client.profiles import DEFAULT_PROFILE, DEFAULT_URL

app = new_app("Manage profiles: several services, or several users of one.")

_Name = Annotated[str, typer.Argument(help="Name of the profile.")]


@app.command("ls")
def list_profiles(as_json: AsJson = False) -> None:
    """List all profiles; the active one is marked.

    Examples:

      sightline profile ls
    """
    from sightline.client.profiles import load_profiles

    profiles = load_profiles()
    rows = [(profile.name == profiles.active, profile) for profile in profiles.by_name.values()]
    if as_json:
        print_json(
            [
                {"name": profile.name, "active": active, "url": profile.url, "api_key": profile.masked_key}
                for active, profile in rows
            ]
        )
        return
    print_table(
        ("", "name", "url", "key"),
        [("*" if active else "", profile.name, profile.url, profile.masked_key) for active, profile in rows],
        empty="no profiles yet; run `sightline configure`",
    )


@app.command("active")
def show_active(as_json: AsJson = False) -> None:
    """Show the profile in use, environment variables considered.

    Examples:

      sightline profile active
    """
    from sightline.client.profiles import active_profile

    profile = active_profile()
    fields = [("name", profile.name), ("url", profile.url), ("key", profile.masked_key)]
    if as_json:
        print_json(dict(fields))
    else:
        print_fields([*fields, ("from", profile.origin.removeprefix("the API key "))])


@app.command("use")
def use(name: _Name) -> None:
    """Make a profile the active one.

    Examples:

      sightline profile use work
    """
    from sightline.client.profiles import load_profiles, save_profiles

    save_profiles(load_profiles().with_active(name))
    say(f"profile '{name}' is active")


@app.command("rm")
def remove(name: _Name) -> None:
    """Remove a profile with its key.

    Examples:

      sightline profile rm work
    """
    from sightline.client.profiles import load_profiles, save_profiles

    before = load_profiles()
    after = before.without(name)
    save_profiles(after)
    say(f"removed profile '{name}'")
    if before.active == name and after.by_name:
        note(f"no profile is active now; run `sightline profile use NAME` ({', '.join(after.by_name)})")


@app.command("create")
def create(
    api_key: Annotated[str, typer.Argument(help="The API key; '-' reads it from standard input.")],
    name: Annotated[str, typer.Option("--name", help="Name of the profile.")] = DEFAULT_PROFILE,
    api_url: Annotated[str, typer.Option("--api-url", help="Address of the service.")] = DEFAULT_URL,
    activate: Annotated[
        bool, typer.Option("--activate/--no-activate", help="Make it the active one.")
    ] = True,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Ask the service whether it accepts the key.")
    ] = True,
) -> None:
    """Create a profile, or replace the one of that name.

    Examples:

      sightline profile create "$KEY" --name work --api-url https://sightline.example.org

      sightline profile create - --name work --no-activate < key.txt
    """
    key = sys.stdin.readline() if api_key == "-" else api_key
    store(name, key, api_url, activate=activate, check=check)


def store(name: str, api_key: str, url: str, *, activate: bool, check: bool) -> None:
    """Check a profile, against the service too where ``check``, and write it to the file."""
    from sightline.client.connection import connect
    from sightline.client.profiles import Profile, load_profiles, save_profiles
    from sightline.client.transport import checked_key, checked_url
    from sightline.errors import SightlineError

    if not name.isprintable() or not name.strip():
        raise SightlineError(f"{name!r} is no name for a profile; use letters and digits.")
    origin = "the API key given"
    profile = Profile(name.strip(), checked_url(url), checked_key(api_key, origin), origin)
    profiles = load_profiles()
    user = None
    if check:
        with connect(profile) as client:
            user = client.me()
    path = save_profiles(profiles.with_profile(profile, activate=activate))
    who = f"{user.name} ({user.role.value}) at {profile.url}" if user else f"{profile.url} (not checked)"
    say(f"profile '{profile.name}': {who}, stored in {path}")
