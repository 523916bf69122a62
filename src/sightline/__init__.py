"""Sightline: train vision models on data you are not allowed to see.

The public face is small and loads lazily, so that ``import sightline`` costs nothing that is not used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sightline.version import __version__

if TYPE_CHECKING:
    from sightline.data import Dataset, DatasetInfo, Sample, TaskInfo
    from sightline.errors import SightlineError
    from sightline.runs import RunLogger

_HOME = {
    "Dataset": "sightline.data",
    "DatasetInfo": "sightline.data",
    "RunLogger": "sightline.runs",
    "Sample": "sightline.data",
    "SightlineError": "sightline.errors",
    "TaskInfo": "sightline.data",
}

__all__ = ["Dataset", "DatasetInfo", "RunLogger", "Sample", "SightlineError", "TaskInfo", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sightline' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
