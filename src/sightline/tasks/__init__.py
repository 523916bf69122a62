"""What is learned: `Task`, and tasks that are configured rather than written."""

from sightline.tasks.supervised import Supervised, SupervisedConfig
from sightline.tasks.task import Task

__all__ = ["Supervised", "SupervisedConfig", "Task"]
