"""How experiments, metrics and environments are shown."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sightline.cli.follow import metric_value
from sightline.files import readable_size

if TYPE_CHECKING:
    from sightline.client.wire import Environment, ExperimentOut, StoredMetricPoint

METRIC_COLUMNS = ("name", "points", "last", "at step", "lowest", "highest")
ENVIRONMENT_COLUMNS = ("name", "instance", "cpu", "memory", "gpu", "time limit", "output")


def metric_summary(points: Iterable["StoredMetricPoint"]) -> list[tuple[object, ...]]:
    """One row for each name, in the order in which they first came; NaN is no lowest or highest."""
    by_name: dict[str, list[StoredMetricPoint]] = {}
    for point in points:
        by_name.setdefault(point.name, []).append(point)
    rows: list[tuple[object, ...]] = []
    for name, series in by_name.items():
        values = [point.value for point in series if point.value is not None]
        extremes = (metric_value(min(values)), metric_value(max(values))) if values else ("-", "-")
        rows.append((name, len(series), metric_value(series[-1].value), series[-1].step, *extremes))
    return rows


def environment_row(environment: "Environment") -> tuple[object, ...]:
    """An environment as a row under `ENVIRONMENT_COLUMNS`."""
    gpu = f"{environment.gpu_count} x {environment.gpu or 'GPU'}" if environment.gpu_count else "-"
    return (
        environment.name,
        environment.instance,
        f"{environment.cpu_count} x {environment.cpu}",
        readable_size(environment.ram),
        gpu,
        readable_duration(environment.time_limit_s),
        readable_size(environment.output_quota_bytes),
    )


def dataset_names(experiment: "ExperimentOut") -> str:
    """``digits``, or ``digits + wards`` where a recipe takes samples of several."""
    return " + ".join(dict.fromkeys(name.partition(":")[0] for name in experiment.datasets))


def readable_duration(seconds: float) -> str:
    """``5400`` as ``"1.5 h"``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
