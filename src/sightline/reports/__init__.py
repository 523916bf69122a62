"""Reports: what a model makes of a dataset, as a page, pictures and a dataset of its predictions.

* `write_report` works on any `Dataset` that has predictions beside its ground truth, whoever made them;
* `report_run` measures a trained experiment and reports on it;
* `benchmark` measures any `sightline.data.predictions.InferenceModel`: how good, how fast, how large.

Importing this does not import torch; `report_run` does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.reports.of_run import report_run
    from sightline.reports.scoring import benchmark
    from sightline.reports.writing import write_report

_HOME = {
    "benchmark": "sightline.reports.scoring",
    "report_run": "sightline.reports.of_run",
    "write_report": "sightline.reports.writing",
}

__all__ = ["benchmark", "report_run", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sightline.reports' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
