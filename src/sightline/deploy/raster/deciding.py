"""From a model's outputs to classes and scores."""

from typing import Literal

import numpy as np

from sightline.errors import SightlineError

Activation = Literal["softmax", "sigmoid", "none"]
ScoreType = Literal["uint8", "float32"]

SCORE_STEPS = 254
"""A score of 1 as uint8; `NO_CLASS` is no data there as well."""


def check_outputs(outputs: object, images: np.ndarray, classes: int) -> np.ndarray:
    """The outputs of a model for ``images`` (batch, bands, height, width), as floats of at least 32 bits.

    Raises:
        SightlineError: they are not (batch, classes, height, width), where one channel does for two classes,
            or hold NaN or infinity.
    """
    batch, _, height, width = images.shape
    outputs = np.asarray(outputs)
    channels = (1, 2) if classes == 2 else (classes,)
    if outputs.shape not in [(batch, count, height, width) for count in channels]:
        raise SightlineError(
            f"the model gave an array of shape {outputs.shape} for tiles of shape {images.shape}; for "
            f"{classes} classes it must give {(batch, classes, height, width)}."
        )
    outputs = outputs.astype(np.result_type(outputs.dtype, np.float32), copy=False)
    if not np.isfinite(outputs).all():
        raise SightlineError("the model gave NaN or infinity where the image holds ordinary numbers.")
    return outputs


def decide(outputs: np.ndarray, activation: Activation) -> np.ndarray:
    """The class with the highest output, the first of equals: (channels, height, width) to uint8.

    A single channel is that of class 1 of two: a logit, or with the activation ``none`` a probability.
    """
    if len(outputs) == 1:
        return (outputs[0] > (0.5 if activation == "none" else 0)).view(np.uint8)
    classes = np.zeros(outputs.shape[1:], np.uint8)
    best = outputs[0]
    for number in range(1, len(outputs)):
        better = outputs[number] > best
        if number == 1:
            classes = better.view(np.uint8)
        else:
            np.copyto(classes, np.uint8(number), where=better)
        if number + 1 < len(outputs):
            best = np.maximum(best, outputs[number])
    return classes


def scores_of(outputs: np.ndarray, activation: Activation, score_type: ScoreType) -> np.ndarray:
    """The score of each class, 0..1: float32, or rounded to 0..`SCORE_STEPS` as uint8; (classes, height,
    width).

    ``none`` takes the outputs as scores, clipped to 0..1. A single channel is that of class 1 of two.
    """
    if activation == "none":
        scores = np.clip(outputs, 0, 1)
    elif activation == "sigmoid" or len(outputs) == 1:
        scores = _sigmoid(outputs)
    else:
        scores = np.exp(outputs - outputs.max(axis=0))
        scores /= scores.sum(axis=0)
    if len(scores) == 1:
        scores = np.concatenate([1 - scores, scores])
    if score_type == "float32":
        return scores.astype(np.float32, copy=False)
    return np.rint(scores * SCORE_STEPS).astype(np.uint8)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return (np.tanh(logits / 2) + 1) / 2
