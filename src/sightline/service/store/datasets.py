"""Datasets and their variants in the database."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session, selectinload

from sightline.client.wire import DatasetCreate, Policy, State, Variant
from sightline.service.domain.permissions import Actor
from sightline.service.domain.references import unknown, version_key
from sightline.service.domain.refusals import ConflictError, NotFoundError, RefusedError
from sightline.service.store.paging import Paging, fetch
from sightline.service.store.tables import (
    DatasetRow,
    DatasetVariantRow,
    ExperimentRow,
    ExperimentSourceRow,
    UploadRow,
)

Ordering = Literal["name", "-name", "created_at", "-created_at"]
_ORDER = {
    "name": DatasetRow.name.asc(),
    "-name": DatasetRow.name.desc(),
    "created_at": DatasetRow.created_at.asc(),
    "-created_at": DatasetRow.created_at.desc(),
}


def create(session: Session, request: DatasetCreate, owner: Actor, now: datetime) -> DatasetRow:
    """A new dataset, without data so far."""
    if session.scalar(select(DatasetRow.id).where(DatasetRow.name == request.name)):
        raise ConflictError(f"There is a dataset '{request.name}' already; choose another name.")
    row = DatasetRow(
        name=request.name,
        title=request.title or request.name,
        overview=request.overview,
        owner_id=owner.id,
        release_rule=request.policy.release,
        allow_process_sandbox=request.policy.allow_process_sandbox,
        max_release_bytes=request.policy.max_release_bytes,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def policy_of(dataset: DatasetRow) -> Policy:
    """The owner's policy."""
    return Policy(
        release=dataset.release_rule,
        allow_process_sandbox=dataset.allow_process_sandbox,
        max_release_bytes=dataset.max_release_bytes,
    )


def find(session: Session, id_or_name: str) -> DatasetRow:
    """A dataset by id or name."""
    rows = session.scalars(
        select(DatasetRow).where(or_(DatasetRow.id == id_or_name, DatasetRow.name == id_or_name))
    ).all()
    for row in sorted(rows, key=lambda row: row.id != id_or_name):
        return row
    raise NotFoundError(
        str(unknown("Dataset", id_or_name, names(session), "a data owner has to publish one"))
    )


def names(session: Session) -> list[str]:
    """The names of all datasets."""
    return list(session.scalars(select(DatasetRow.name)))


def page(
    session: Session, paging: Paging, ordering: Ordering, search: str | None, name: str | None
) -> tuple[int, list[DatasetRow]]:
    """Datasets; ``search`` looks in name, title and overview, ``name`` must match whole, case aside."""
    statement = select(DatasetRow).options(selectinload(DatasetRow.variants), selectinload(DatasetRow.owner))
    if search:
        columns = (DatasetRow.name, DatasetRow.title, DatasetRow.overview)
        statement = statement.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    if name:
        statement = statement.where(func.lower(DatasetRow.name) == name.lower())
    return fetch(session, statement.order_by(_ORDER[ordering]), paging)


def newest(variants: Iterable[DatasetVariantRow]) -> list[DatasetVariantRow]:
    """The newest version of each variant."""
    best: dict[Variant, DatasetVariantRow] = {}
    for row in sorted(variants, key=lambda row: version_key(row.version)):
        best[row.variant] = row
    return [best[variant] for variant in Variant if variant in best]


def sample(session: Session, dataset: DatasetRow, version: str | None) -> DatasetVariantRow:
    """The sample: the one variant that users can be given. The newest version unless one is named."""
    return _pick(session, dataset, version, [Variant.SAMPLE])


def for_job(session: Session, dataset: DatasetRow, version: str | None) -> DatasetVariantRow:
    """What a job trains on: the hidden variant, or the sample where there is no hidden one."""
    return _pick(session, dataset, version, [Variant.HIDDEN, Variant.SAMPLE])


def has_version(
    session: Session, dataset_id: str, variant: Variant, version: str
) -> DatasetVariantRow | None:
    """A published version, if it is there."""
    return session.scalar(
        select(DatasetVariantRow).where(
            DatasetVariantRow.dataset_id == dataset_id,
            DatasetVariantRow.variant == variant,
            DatasetVariantRow.version == version,
        )
    )


def delete_dataset(session: Session, dataset: DatasetRow) -> tuple[list[str], list[str]]:
    """Delete a dataset; returns the hashes of its objects and the ids of its uploads, to be removed.

    Raises:
        ConflictError: an experiment on it has not ended.
    """
    busy = session.scalars(
        select(ExperimentRow.id)
        .join(ExperimentSourceRow, ExperimentSourceRow.experiment_id == ExperimentRow.id)
        .where(
            ExperimentSourceRow.dataset_id == dataset.id,
            ExperimentRow.state.not_in([s for s in State if s.ended]),
        )
    ).first()
    if busy:
        raise ConflictError(
            f"Dataset '{dataset.name}' is used by experiment {busy}, which has not ended; cancel that first."
        )
    hashes = list(
        session.scalars(select(DatasetVariantRow.sha256).where(DatasetVariantRow.dataset_id == dataset.id))
    )
    uploads = list(session.scalars(select(UploadRow.id).where(UploadRow.dataset_id == dataset.id)))
    session.execute(delete(DatasetRow).where(DatasetRow.id == dataset.id))
    return hashes, uploads


def _pick(
    session: Session, dataset: DatasetRow, version: str | None, order: list[Variant]
) -> DatasetVariantRow:
    rows = session.scalars(
        select(DatasetVariantRow).where(
            DatasetVariantRow.dataset_id == dataset.id, DatasetVariantRow.variant.in_(order)
        )
    ).all()
    kinds = " or ".join(order)
    if not rows:
        raise RefusedError(f"Dataset '{dataset.name}' has no {kinds} data yet; its owner has to publish it.")
    wanted = [row for row in rows if version in (None, row.version)]
    if not wanted:
        there = ", ".join(sorted({row.version for row in rows}, key=version_key))
        raise RefusedError(f"Dataset '{dataset.name}' has no version {version}; there are: {there}.")
    return max(wanted, key=lambda row: (-order.index(row.variant), version_key(row.version)))
