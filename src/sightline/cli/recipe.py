"""`sightline recipe`: datasets described as data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli.commands import new_app
from sightline.cli.output import AsJson, confirm, print_json, print_table, say
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.recipes import Recipe

app = new_app("Describe datasets as data: build them here, keep them on the service.")

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The recipe, as JSON.")]
_Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="Id or name of the recipe.")]


@app.command("build")
def build(
    file: _File,
    output: Annotated[Path, typer.Option("--output", "-o", help="Dataset folder to write.")],
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Build it anew, also when it is cached.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a dataset that is there.")] = False,
) -> None:
    """Build the dataset of a recipe on this machine: from samples, and from files that it names.

    What was built is kept in .data/recipes and found there the next time, as long as the recipe and what
    its sources hold are the same.

    Examples:

      sightline recipe build small-cars.json --output small-cars
    """
    dataset = _read(file).build(force=force).write(output, overwrite=overwrite)
    say(f"{output}: {dataset!r}")


@app.command("show")
def show(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A file, or the id or name of a stored recipe.")
    ],
    python: Annotated[bool, typer.Option("--python", help="Print it as Python.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a recipe with all its arguments, as JSON or as Python.

    Examples:

      sightline recipe show small-cars.json

      sightline recipe show small-cars --python
    """
    from sightline.data.recipes import Recipe

    if Path(recipe).is_file() or recipe.endswith(".json"):
        found = _read(Path(recipe))
    else:
        from sightline.client import connect

        with connect() as client:
            found = Recipe.from_value(_pick(client, recipe).template.body)
    if as_json:
        print_json({"hash": found.hash, "recipe": found.to_value()})
    else:
        say(repr(found) if python else found.to_json())


@app.command("create")
def create(
    file: _File,
    name: Annotated[str | None, typer.Option(help="Default: the file's name.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace your recipe of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep a recipe on the service, to run experiments on the dataset that it describes.

    Examples:

      sightline recipe create small-cars.json

      sightline experiment create --recipe small-cars
    """
    from http import HTTPStatus

    from sightline.client import connect
    from sightline.client.errors import ServiceError
    from sightline.client.messages import message
    from sightline.client.wire import DatasetRecipeCreate, DatasetRecipeTemplate

    recipe = _read(file)
    template = DatasetRecipeTemplate(body=recipe.to_value())
    request = message(DatasetRecipeCreate, name=name or file.stem, template=template, overwrite=overwrite)
    with connect() as client:
        try:
            stored = client.create_dataset_recipe(request)
        except ServiceError as error:
            if error.status != HTTPStatus.CONFLICT or overwrite:
                raise
            raise SightlineError(
                f"you have a recipe '{request.name}' already; replace it with --overwrite, or give this one "
                "another --name."
            ) from None
    if as_json:
        print_json(stored)
    else:
        say(f"recipe '{stored.name}': {stored.id}")


@app.command("ls")
def list_recipes(as_json: AsJson = False) -> None:
    """List your recipes on the service.

    Examples:

      sightline recipe ls
    """
    from sightline.cli.output import local_time
    from sightline.client import connect

    with connect() as client:
        recipes = client.dataset_recipes()
    if as_json:
        print_json(recipes)
        return
    rows = [(r.id, r.name, local_time(r.created_at), _summary(r.template.body)) for r in recipes]
    print_table(("id", "name", "created", "recipe"), rows, empty="no recipes")


@app.command("rm")
def remove(
    recipe: _Recipe,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a recipe from the service; experiments that were made from it stay.

    Examples:

      sightline recipe rm small-cars --yes
    """
    from sightline.client import connect

    with connect() as client:
        found = _pick(client, recipe)
        confirm(f"Remove recipe '{found.name}'?", yes)
        client.delete_dataset_recipe(found.id)
    say(f"removed recipe '{found.name}'")


def _read(file: Path) -> "Recipe":
    from sightline.data.recipes import Recipe

    return Recipe.from_file(file)


def _pick(client: Any, recipe: str) -> Any:
    from sightline.cli.lookup import pick

    return pick("recipe", client.dataset_recipes(), recipe)


def _summary(body: Any) -> str:
    """``digits + wards, 2 steps``."""
    if isinstance(body, str):
        return body
    from sightline.data.recipes import Recipe

    recipe = Recipe.from_value(body)
    count = len(recipe.steps)
    steps = f", {count} step{'' if count == 1 else 's'}" if count else ""
    return f"{' + '.join(map(str, recipe.names()))}{steps}"
