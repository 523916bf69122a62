"""Uploads of dataset archives in the database."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.client.wire import UploadCreate
from sightline.service.dataset_archive import Inspected
from sightline.service.domain.permissions import Actor
from sightline.service.domain.refusals import ConflictError, NotFoundError
from sightline.service.store import datasets
from sightline.service.store.objects import Arrived
from sightline.service.store.tables import DatasetRow, DatasetVariantRow, UploadRow


def announce(
    session: Session, dataset: DatasetRow, request: UploadCreate, user: Actor, now: datetime
) -> tuple[UploadRow, bool]:
    """The upload for an archive, and whether it is a new one.

    Only the same user's upload is resumed. Bytes that the service has from somebody else are never a
    short cut: whoever knows the hash of a hidden archive must not get it by announcing it as a sample.
    """
    _refuse_other_content(session, dataset, request)
    row = session.scalar(
        select(UploadRow)
        .where(
            UploadRow.dataset_id == dataset.id,
            UploadRow.user_id == user.id,
            UploadRow.variant == request.variant,
            UploadRow.version == request.version,
            UploadRow.sha256 == request.sha256,
            UploadRow.size_bytes == request.size_bytes,
        )
        .order_by(UploadRow.created_at.desc())
    )
    if row is not None:
        return row, False
    row = UploadRow(
        dataset_id=dataset.id,
        user_id=user.id,
        variant=request.variant,
        version=request.version,
        sha256=request.sha256,
        size_bytes=request.size_bytes,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row, True


def find(session: Session, dataset: DatasetRow, upload_id: str, user: Actor) -> UploadRow:
    """This user's upload to this dataset."""
    row = session.get(UploadRow, upload_id)
    if row is None or row.dataset_id != dataset.id or row.user_id != user.id:
        raise NotFoundError(f"There is no upload '{upload_id}' of yours to dataset '{dataset.name}'.")
    return row


def publish(
    session: Session,
    dataset: DatasetRow,
    upload: UploadRow,
    arrived: Arrived,
    inspected: Inspected,
    now: datetime,
) -> None:
    """Make a complete upload a version of the dataset."""
    _refuse_other_content(session, dataset, upload)
    upload.completed_at = now
    if datasets.has_version(session, dataset.id, upload.variant, upload.version) is None:
        session.add(
            DatasetVariantRow(
                dataset_id=dataset.id,
                variant=upload.variant,
                version=upload.version,
                item_count=inspected.item_count,
                size_bytes=arrived.size_bytes,
                sha256=arrived.sha256,
                info=inspected.info,
                created_at=now,
            )
        )


def _refuse_other_content(session: Session, dataset: DatasetRow, wanted: UploadCreate | UploadRow) -> None:
    there = datasets.has_version(session, dataset.id, wanted.variant, wanted.version)
    if there is not None and there.sha256 != wanted.sha256:
        raise ConflictError(
            f"Version {wanted.version} of the {wanted.variant} variant of '{dataset.name}' is published with "
            "other content, and a version never changes; publish a higher version."
        )
