"""Test-time augmentation: the mean over the eight ways to turn and mirror an image."""

from collections.abc import Callable

import numpy as np

Model = Callable[[np.ndarray], np.ndarray]
"""From a batch of tiles (batch, bands, height, width), in the type of the raster, to outputs (batch, classes,
height, width): logits or scores. It may not change the tiles."""

VIEWS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))


def symmetric(model: Model) -> Model:
    """The model whose outputs are the mean of the model's for each of the eight symmetries of the square
    (D4), turned back.

    The mean runs from view to view, so that a model that is symmetric itself gives the same to the last bit.
    """

    def model_of_all_views(images: np.ndarray) -> np.ndarray:
        mean: np.ndarray | None = None
        for number, (turns, mirrored) in enumerate(VIEWS, 1):
            view = images[..., ::-1] if mirrored else images
            outputs = np.asarray(model(np.ascontiguousarray(np.rot90(view, turns, (2, 3)))))
            outputs = np.rot90(outputs, -turns, (2, 3))
            outputs = outputs[..., ::-1] if mirrored else outputs
            if mean is None:
                mean = outputs.astype(np.result_type(outputs.dtype, np.float32))
            else:
                mean += (outputs - mean) / number
        assert mean is not None
        return mean

    return model_of_all_views
