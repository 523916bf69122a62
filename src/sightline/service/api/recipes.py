"""``/dataset-recipes``."""

from fastapi import APIRouter

from sightline.client.wire import DatasetRecipeCreate, DatasetRecipeOut, Page
from sightline.service.api import present
from sightline.service.api.call import CallDep, PagingDep
from sightline.service.store import recipes

router = APIRouter(prefix="/dataset-recipes", tags=["datasets"])


@router.get("")
def list_recipes(call: CallDep, paging: PagingDep) -> Page[DatasetRecipeOut]:
    """The caller's recipes."""
    with call.core.database.read() as session:
        count, rows = recipes.page(session, call.actor, paging)
        return Page(count=count, data=[present.recipe(row) for row in rows])


@router.post("", status_code=201)
def create_recipe(request: DatasetRecipeCreate, call: CallDep) -> DatasetRecipeOut:
    """A new recipe; with ``overwrite`` it replaces the caller's recipe of the same name."""
    with call.core.database.write() as session:
        return present.recipe(recipes.create(session, request, call.actor, call.core.now()))


@router.get("/{recipe}")
def show_recipe(recipe: str, call: CallDep) -> DatasetRecipeOut:
    """One recipe."""
    with call.core.database.read() as session:
        return present.recipe(recipes.find(session, recipe, call.actor))


@router.delete("/{recipe}", status_code=204)
def delete_recipe(recipe: str, call: CallDep) -> None:
    """Delete a recipe; experiments that were made from it stay."""
    with call.core.database.write() as session:
        session.delete(recipes.find(session, recipe, call.actor))
