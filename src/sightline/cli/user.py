"""`sightline user`: the users of a service, for its administrators."""

from typing import Annotated, Literal

import typer

from sightline.cli.commands import new_app
from sightline.cli.output import AsJson, note, print_json, print_table, say

app = new_app("Manage the users of a service (administrators).")


@app.command("ls")
def list_users(as_json: AsJson = False) -> None:
    """List all users.

    Examples:

      sightline user ls
    """
    from sightline.client import connect

    with connect() as client:
        users = client.users()
    if as_json:
        print_json(users)
        return
    rows = [(user.name, user.role.value, user.created_at, user.id) for user in users]
    print_table(("name", "role", "since", "id"), rows, empty="no users")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name of the user.")],
    role: Annotated[
        Literal["developer", "owner", "admin", "agent"],
        typer.Option(help="developer submits trainers, owner publishes datasets, admin manages users."),
    ] = "developer",
    as_json: AsJson = False,
) -> None:
    """Create a user and print the API key, which the service shows this once.

    Examples:

      sightline user create ada --role developer

      sightline user create hospital --role owner > key.txt
    """
    from sightline.client import connect
    from sightline.client.messages import message
    from sightline.client.wire import UserCreate

    request = message(UserCreate, name=name, role=role)
    with connect() as client:
        created = client.create_user(request)
        url = client.url
    if as_json:
        print_json(created)
        return
    note(f"created {role} '{created.user.name}'; this key is shown once (use it with `sightline configure`")
    note(f"and the URL {url}):")
    say(created.api_key)


@app.command("rm")
def remove(name: Annotated[str, typer.Argument(help="Name or id of the user.")]) -> None:
    """Delete a user and revoke the keys.

    Examples:

      sightline user rm ada
    """
    from sightline.client import connect

    with connect() as client:
        client.delete_user(name)
    say(f"removed user '{name}'")
