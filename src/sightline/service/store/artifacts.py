"""Artifacts in the database."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.client.wire import Artifact
from sightline.files import readable_size
from sightline.service.domain.refusals import NotFoundError, RefusedError, TooLargeError
from sightline.service.store.paging import Paging, fetch
from sightline.service.store.tables import ArtifactRow

FOLDERS = ("model", "checkpoints", "data", "run")
_LONGEST_PATH = 500


def check_path(path: str) -> str:
    """A path as an artifact may have it: relative, plain, in one of the four folders."""
    parts = path.split("/")
    plain = all(part and part not in (".", "..") for part in parts) and path.isprintable()
    if not plain or "\\" in path or len(parts) < 2 or parts[0] not in FOLDERS:
        raise RefusedError(f"Artifact path {path!r}: give a file below one of {', '.join(FOLDERS)}.")
    if len(path) > _LONGEST_PATH:
        raise RefusedError(
            f"Artifact path '{path[:60]}...' is longer than the {_LONGEST_PATH} characters allowed."
        )
    return path


def totals(session: Session, experiment_id: str) -> tuple[int, int]:
    """How many artifacts an experiment has, and their bytes."""
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(ArtifactRow.size_bytes), 0)).where(
            ArtifactRow.experiment_id == experiment_id
        )
    ).one()
    return int(count), int(size)


def check_limits(
    session: Session, experiment_id: str, path: str, size_bytes: int, max_count: int, quota_bytes: int
) -> None:
    """Raise `TooLargeError` where one more artifact, of so many bytes, would pass a limit."""
    count, size = totals(session, experiment_id)
    there = session.get(ArtifactRow, (experiment_id, path))
    if there is not None:
        count, size = count - 1, size - there.size_bytes
    if count + 1 > max_count:
        raise TooLargeError(
            f"The job left more than the {max_count} artifacts allowed; pack small files together."
        )
    if size + size_bytes > quota_bytes:
        raise TooLargeError(
            f"Artifact '{path}' brings the job's output to {readable_size(size + size_bytes)}, more than the "
            f"{readable_size(quota_bytes)} that its environment allows."
        )


def put(session: Session, experiment_id: str, artifact: Artifact) -> None:
    """Store an artifact; the same path again replaces it."""
    session.merge(ArtifactRow(experiment_id=experiment_id, **artifact.model_dump()))


def find(session: Session, experiment_id: str, path: str) -> ArtifactRow:
    """One artifact."""
    row = session.get(ArtifactRow, (experiment_id, path))
    if row is None:
        raise NotFoundError(f"Experiment {experiment_id} has no artifact '{path}'; list them for the paths.")
    return row


def page(session: Session, experiment_id: str, paging: Paging) -> tuple[int, list[ArtifactRow]]:
    """The artifacts of an experiment, by path."""
    return fetch(
        session,
        select(ArtifactRow).where(ArtifactRow.experiment_id == experiment_id).order_by(ArtifactRow.path),
        paging,
    )
