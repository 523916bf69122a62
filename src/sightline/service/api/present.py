"""Rows of the database as the messages that clients see."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from sightline.client.wire import (
    Artifact,
    DatasetOut,
    DatasetRecipeOut,
    DatasetRecipeTemplate,
    DatasetVariant,
    ExperimentOut,
    ReleaseOut,
    StateChange,
    StoredLogLine,
    StoredMetricPoint,
    TrainerOut,
    User,
    Variant,
)
from sightline.service.domain.references import version_key
from sightline.service.store import datasets, experiments
from sightline.service.store.recipes import body_of
from sightline.service.store.tables import (
    ArtifactRow,
    DatasetRow,
    DatasetVariantRow,
    ExperimentRow,
    LogLineRow,
    MetricPointRow,
    RecipeRow,
    StateChangeRow,
    TrainerRow,
    UserRow,
)


def user(row: UserRow) -> User:
    """A user, without anything about keys."""
    return User(id=row.id, name=row.name, role=row.role, created_at=row.created_at)


def dataset(row: DatasetRow, *, with_info: bool) -> DatasetOut:
    """A dataset; ``info`` comes from the sample, never from the hidden variant."""
    variants = datasets.newest(row.variants)
    versions = sorted((variant.version for variant in variants), key=version_key)
    sample = next((variant for variant in variants if variant.variant is Variant.SAMPLE), None)
    return DatasetOut(
        id=row.id,
        name=row.name,
        title=row.title,
        overview=row.overview,
        owner=row.owner.name,
        version=versions[-1] if versions else None,
        policy=datasets.policy_of(row),
        created_at=row.created_at,
        dataset_variants=[_variant(variant) for variant in variants],
        info=sample.info if with_info and sample else None,
    )


def _variant(row: DatasetVariantRow) -> DatasetVariant:
    return DatasetVariant(
        variant_type=row.variant,
        version=row.version,
        number_of_data_items=row.item_count,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        created_at=row.created_at,
    )


def recipe(row: RecipeRow) -> DatasetRecipeOut:
    """A recipe."""
    template = DatasetRecipeTemplate(body=body_of(row))
    return DatasetRecipeOut(id=row.id, name=row.name, created_at=row.created_at, template=template)


def trainer(row: TrainerRow) -> TrainerOut:
    """A trainer."""
    return TrainerOut(
        id=row.id,
        name=row.name,
        description=row.description,
        default_command=row.default_command,
        author=row.author.name,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
    )


def experiment(row: ExperimentRow, history: Sequence[StateChangeRow] = ()) -> ExperimentOut:
    """An experiment; listings leave the history out."""
    return ExperimentOut(
        id=row.id,
        name=row.name,
        state=row.state,
        reason=row.reason,
        attempt=row.attempt,
        author=row.author.name,
        trainer=row.trainer.name,
        trainer_id=row.trainer_id,
        dataset=row.dataset_name,
        dataset_version=row.dataset_version,
        datasets=_datasets(row),
        dataset_variant=row.variant,
        dataset_recipe=row.recipe_id,
        command=row.command,
        environment=row.environment.name,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        release=ReleaseOut(
            state=row.release.state,
            reason=row.release.reason,
            decided_by=row.release.decided_by,
            decided_at=row.release.decided_at,
        ),
        history=[StateChange(at=change.at, state=change.state, reason=change.reason) for change in history],
    )


def _datasets(row: ExperimentRow) -> list[str]:
    """The datasets of an experiment by name and version; only of the first is it known once it is deleted."""
    others = (
        f"{source.dataset.name}:{source.archive.version}"
        if source.dataset and source.archive
        else "(deleted)"
        for source in (row.sources[1:] if row.recipe else ())
    )
    return [f"{row.dataset_name}:{row.dataset_version}", *others]


def whole_experiment(session: Session, row: ExperimentRow) -> ExperimentOut:
    """An experiment with its history."""
    return experiment(row, experiments.history(session, row.id))


def log_line(row: LogLineRow) -> StoredLogLine:
    """A log line."""
    return StoredLogLine(
        id=row.id, attempt=row.attempt, seq=row.seq, at=row.at, stream=row.stream, text=row.text
    )


def metric_point(row: MetricPointRow) -> StoredMetricPoint:
    """A metric point."""
    return StoredMetricPoint.model_validate(row, from_attributes=True)


def artifact(row: ArtifactRow) -> Artifact:
    """An artifact."""
    return Artifact(path=row.path, size_bytes=row.size_bytes, sha256=row.sha256)
