"""Finding the model that somebody names to be measured: a run, an exported file, a class of their own."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.predictions import InferenceModel

_IMPORT_PATH = re.compile(r".+\.py:\w+|[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def open_model(name: str, device: str = "auto", batch_size: int = 1) -> "InferenceModel":
    """The model that ``name`` stands for.

    Args:
        name: a file that `sightline export` made, an import path of a class (``mine.py:Threshold``,
            ``package.module.Name``), or what `sightline eval` takes: a run, a checkpoint, a saved file.
        device: for what is not a class.
        batch_size: images that it is given at once.

    Raises:
        SightlineError: there is no such model, or it cannot predict.
    """
    from sightline.deploy import open_model as open_exported
    from sightline.deploy.card_files import format_of

    path = Path(name)
    if format_of(path) is not None:
        return open_exported(path, device=device, batch_size=batch_size)
    if _IMPORT_PATH.fullmatch(name) and not path.exists():
        return _imported(name)
    return _trained(name, device, batch_size)


def _imported(name: str) -> "InferenceModel":
    from sightline.config import import_object

    found = import_object(name)
    model = found() if isinstance(found, type) else found
    if not callable(getattr(model, "predict", None)):
        raise SightlineError(
            f"{name}: has no method `predict`; give it the one of sightline.data.predictions.InferenceModel."
        )
    return model


def _trained(name: str, device: str, batch_size: int) -> "InferenceModel":
    from sightline.engine.opening import opened
    from sightline.tasks.inference import TaskModel
    from sightline.tasks.vision import VisionTask

    experiment = opened(name, [f"trainer.device={device}"])
    task = experiment.task
    if not isinstance(task, VisionTask):
        raise SightlineError(
            f"{name}: its task ({type(task).__name__}) is none of images with classes, boxes or masks; "
            "give a class of your own that predicts with it."
        )
    return TaskModel(task, experiment.model, experiment.ranks.device, batch_size)
