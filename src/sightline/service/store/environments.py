"""Environments in the database."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.client.wire import Environment
from sightline.service.domain.references import unknown
from sightline.service.store.tables import EnvironmentRow


def offer(session: Session, environments: Sequence[Environment]) -> None:
    """Make these the environments on offer; others stay only for the experiments that used them."""
    wanted = {environment.id for environment in environments}
    for row in session.scalars(select(EnvironmentRow)):
        if row.id not in wanted:
            row.offered = False
    for environment in environments:
        values = environment.model_dump(exclude={"order"})
        session.merge(EnvironmentRow(**values, position=environment.order, offered=True))


def offered(session: Session) -> list[EnvironmentRow]:
    """What is on offer, the default first."""
    return list(
        session.scalars(
            select(EnvironmentRow)
            .where(EnvironmentRow.offered)
            .order_by(EnvironmentRow.position, EnvironmentRow.name)
        )
    )


def named(session: Session, id_or_name: str | None) -> EnvironmentRow:
    """The environment a user means; the first on offer where they do not say.

    Raises:
        RefusedError: none; it lists the names there are.
    """
    there = offered(session)
    for row in there:
        if id_or_name is None or id_or_name in (row.id, row.name):
            return row
    names = [row.name for row in there]
    raise unknown("Environment", id_or_name or "", names, "whoever runs the service has to offer one")


def to_wire(row: EnvironmentRow) -> Environment:
    """As clients and agents see it."""
    fields = {name: getattr(row, name) for name in Environment.model_fields if name != "order"}
    return Environment(order=row.position, **fields)
