"""Recipes in the database: each user has their own."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.client.wire import DatasetRecipeCreate
from sightline.service.domain.permissions import Actor, may_manage
from sightline.service.domain.references import parse_dataset
from sightline.service.domain.refusals import ConflictError, NotFoundError, RefusedError
from sightline.service.store import datasets
from sightline.service.store.paging import Paging, fetch
from sightline.service.store.tables import RecipeRow


def create(session: Session, request: DatasetRecipeCreate, owner: Actor, now: datetime) -> RecipeRow:
    """A new recipe, or with ``overwrite`` a new body for the user's recipe of that name."""
    body = request.template.body
    if not isinstance(body, str):
        raise RefusedError(
            "Field 'template.body': this service takes a dataset's name ('digits' or 'digits:1.0.0'), "
            "not a recipe in JSON."
        )
    name, _ = parse_dataset(body)
    try:
        datasets.find(session, name)
    except NotFoundError as error:
        raise RefusedError(str(error)) from None
    row = session.scalar(
        select(RecipeRow).where(RecipeRow.owner_id == owner.id, RecipeRow.name == request.name)
    )
    if row is not None and not request.overwrite:
        raise ConflictError(f"You have a recipe '{request.name}' already; set 'overwrite' to replace it.")
    if row is None:
        row = RecipeRow(owner_id=owner.id, name=request.name, created_at=now)
        session.add(row)
    row.body = body
    session.flush()
    return row


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
