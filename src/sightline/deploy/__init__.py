"""From a trained model to a file that runs anywhere with the same answers, and predicting with such files.

`open_model` gives a `Predictor` of a file or a run; ``sightline.deploy.export`` makes files; a `ModelCard` in
each says what it takes and gives. Predicting with an ONNX file needs neither PyTorch nor the training's code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.deploy.card import ModelCard
    from sightline.deploy.card_files import read_card
    from sightline.deploy.opening import open_model
    from sightline.deploy.predictor import Predictor

_HOME = {
    "ModelCard": "sightline.deploy.card",
    "Predictor": "sightline.deploy.predictor",
    "open_model": "sightline.deploy.opening",
    "read_card": "sightline.deploy.card_files",
}

__all__ = ["ModelCard", "Predictor", "open_model", "read_card"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sightline.deploy' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
