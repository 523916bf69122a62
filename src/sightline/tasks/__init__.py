"""What is learned: `Task`, and tasks that are configured rather than written."""

from typing import TYPE_CHECKING, Any

from sightline.tasks.supervised import Supervised, SupervisedConfig
from sightline.tasks.task import Task

if TYPE_CHECKING:
    from sightline.tasks.classification import Classification
    from sightline.tasks.detection import Detection
    from sightline.tasks.segmentation import Segmentation

_VISION = ("Classification", "Detection", "Segmentation")


def __getattr__(name: str) -> Any:
    """The tasks on images when they are first asked for: their libraries take a while to import."""
    if name not in _VISION:
        raise AttributeError(f"module 'sightline.tasks' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"sightline.tasks.{name.lower()}"), name)


__all__ = ["Classification", "Detection", "Segmentation", "Supervised", "SupervisedConfig", "Task"]
