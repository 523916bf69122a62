"""Recipes in the database: each user has their own."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.client.wire import DatasetRecipeCreate
from sightline.data.recipes import Recipe
from sightline.errors import SightlineError
from sightline.service.domain.permissions import Actor, may_manage
from sightline.service.domain.references import parse_dataset
from sightline.service.domain.refusals import ConflictError, NotFoundError, RefusedError
from sightline.service.store import datasets
from sightline.service.store.experiments import Data
from sightline.service.store.paging import Paging, fetch
from sightline.service.store.tables import DatasetRow, DatasetVariantRow, RecipeRow


def create(session: Session, request: DatasetRecipeCreate, owner: Actor, now: datetime) -> RecipeRow:
    """A new recipe, or with ``overwrite`` a new body for the user's recipe of that name."""
    body = request.template.body
    data_of(session, body)
    row = session.scalar(
        select(RecipeRow).where(RecipeRow.owner_id == owner.id, RecipeRow.name == request.name)
    )
    if row is not None and not request.overwrite:
        raise ConflictError(f"You have a recipe '{request.name}' already; set 'overwrite' to replace it.")
    if row is None:
        row = RecipeRow(owner_id=owner.id, name=request.name, created_at=now)
        session.add(row)
    row.body = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    session.flush()
    return row


def body_of(row: RecipeRow) -> str | dict[str, Any]:
    """The recipe as it was given."""
    return json.loads(row.body) if row.body.startswith("{") else row.body


def data_of(session: Session, body: str | dict[str, Any]) -> Data:
    """What a job on a dataset's name, or on a recipe, trains on.

    Raises:
        RefusedError: not a recipe, one that reads files, or one of datasets that are not there, have no
            data, or belong to several owners.
    """
    if isinstance(body, str):
        return Data([_source(session, body)])
    try:
        recipe = Recipe.from_value(body)
    except SightlineError as error:
        raise RefusedError(str(error)) from None
    files = recipe.reads_files()
    if files:
        raise RefusedError(f"A recipe on the service reads published datasets, not files ('{files[0]}').")
    sources = [_source(session, str(name)) for name in recipe.names()]
    owners = {dataset.owner.name for dataset, _ in sources}
    if len(owners) > 1:
        raise RefusedError(
            f"The recipe merges datasets of several owners ({', '.join(sorted(owners))}); on the service "
            "all must belong to one, who decides about the release."
        )
    # A name alone means the newest version: the job gets the one that is newest now.
    return Data(sources, recipe.to_value())


def _source(session: Session, reference: str) -> tuple[DatasetRow, DatasetVariantRow]:
    name, version = parse_dataset(reference)
    try:
        dataset = datasets.find(session, name)
    except NotFoundError as error:
        raise RefusedError(str(error)) from None
    return dataset, datasets.for_job(session, dataset, version)


def find(session: Session, recipe_id: str, actor: Actor) -> RecipeRow:
    """A recipe by id, of this user."""
    row = session.get(RecipeRow, recipe_id)
    if row is None or not may_manage(actor, row.owner_id):
        raise NotFoundError(f"There is no recipe '{recipe_id}' of yours.")
    return row


def page(session: Session, actor: Actor, paging: Paging) -> tuple[int, list[RecipeRow]]:
    """This user's recipes, by name."""
    return fetch(
        session, select(RecipeRow).where(RecipeRow.owner_id == actor.id).order_by(RecipeRow.name), paging
    )
