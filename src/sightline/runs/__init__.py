"""The run directory and what writes it: `RunLogger`, its metrics file, and readers of both."""

from sightline.runs.logger import RunLogger
from sightline.runs.metrics_file import MetricsScan, read_metrics, scan_metrics
from sightline.runs.record import RunRecord, RunStatus, read_record

__all__ = [
    "MetricsScan",
    "RunLogger",
    "RunRecord",
    "RunStatus",
    "read_metrics",
    "read_record",
    "scan_metrics",
]
