"""Find the objects that nothing refers to any more."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.service.store.objects import LocalObjects
from sightline.service.store.tables import ArtifactRow, DatasetVariantRow, TrainerRow, UploadRow

_HOLDERS = (DatasetVariantRow, TrainerRow, ArtifactRow)
_ORPHAN_AGE_S = 24 * 3600.0


def unreferenced(session: Session, hashes: Iterable[str]) -> set[str]:
    """Those of ``hashes`` that no dataset, trainer or artifact holds."""
    left = set(hashes)
    for table in _HOLDERS:
        left -= set(session.scalars(select(table.sha256).where(table.sha256.in_(left))))
    return left


def sweep(session: Session, objects: LocalObjects) -> int:
    """Remove the files that crashes and lost agents left behind; returns how many."""
    held = {sha256 for table in _HOLDERS for sha256 in session.scalars(select(table.sha256).distinct())}
    uploads = set(session.scalars(select(UploadRow.id).where(UploadRow.completed_at.is_(None))))
    return objects.delete_orphans(held, uploads, _ORPHAN_AGE_S)
