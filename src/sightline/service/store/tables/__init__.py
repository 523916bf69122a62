"""The tables of the service, in the order in which they refer to each other."""

from sightline.service.store.tables.accounts import ApiKeyRow, UserRow
from sightline.service.store.tables.base import Table
from sightline.service.store.tables.datasets import DatasetRow, DatasetVariantRow, RecipeRow, UploadRow
from sightline.service.store.tables.experiments import (
    EnvironmentRow,
    ExperimentRow,
    ExperimentSourceRow,
    ReleaseRow,
    StateChangeRow,
    TrainerRow,
)
from sightline.service.store.tables.jobs import ArtifactRow, LeaseRow, LogLineRow, MetricPointRow

__all__ = [
    "ApiKeyRow",
    "ArtifactRow",
    "DatasetRow",
    "DatasetVariantRow",
    "EnvironmentRow",
    "ExperimentRow",
    "ExperimentSourceRow",
    "LeaseRow",
    "LogLineRow",
    "MetricPointRow",
    "RecipeRow",
    "ReleaseRow",
    "StateChangeRow",
    "Table",
    "TrainerRow",
    "UploadRow",
    "UserRow",
]
