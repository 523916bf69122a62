"""Images and targets as a model is given them: the same pixels as when an exported model predicts."""

from typing import Any

import torch
from torchvision import tv_tensors

from sightline.data.loading import IGNORE_INDEX
from sightline.data.preprocessing import Fitting, Preprocessing

FITTING = "fitting"
"""The key of a target under which `FitImage` says where the image went."""


class FitImage:
    """Gives an image, and the annotations in its target, the size that ``preprocessing`` says.

    The target gets `FITTING`, float64 (6,): the fields of a `sightline.data.preprocessing.Fitting`.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.preprocessing = preprocessing

    def __call__(self, image: torch.Tensor, target: dict[str, Any]) -> tuple[torch.Tensor, dict[str, Any]]:
        """``image`` (bands, height, width) and its target, fitted."""
        height, width = image.shape[-2:]
        place = self.preprocessing.fitting(height, width)
        pixels = self.preprocessing.fit_image(image.permute(1, 2, 0).numpy())
        fitted: dict[str, Any] = {
            key: self._fit(value, place, (pixels.shape[0], pixels.shape[1])) for key, value in target.items()
        }
        fitted[FITTING] = fitting_numbers(place)
        return tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1)), fitted

    def _fit(self, value: Any, place: Fitting, size: tuple[int, int]) -> Any:
        if isinstance(value, tv_tensors.BoundingBoxes):
            boxes = torch.from_numpy(place.boxes(value.as_subclass(torch.Tensor).numpy()))
            return tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size)  # pyright: ignore[reportCallIssue]
        if isinstance(value, tv_tensors.Mask):
            maps = value.as_subclass(torch.Tensor)
            if maps.ndim == 2:
                return tv_tensors.Mask(
                    torch.from_numpy(self.preprocessing.fit_map(maps.numpy(), IGNORE_INDEX))
                )
            fitted = [torch.from_numpy(self.preprocessing.fit_map(one.numpy(), 0)) for one in maps]
            return tv_tensors.Mask(torch.stack(fitted) if fitted else maps.new_zeros((0, *size)))
        return value


def fitting_numbers(place: Fitting) -> torch.Tensor:
    """What a target has under `FITTING`: float64 (6,)."""
    numbers = (place.scale_x, place.scale_y, place.left, place.top, place.height, place.width)
    return torch.tensor(numbers, dtype=torch.float64)


def fitting_of(numbers: torch.Tensor) -> Fitting:
    """The `Fitting` that a target has under `FITTING`."""
    scale_x, scale_y, left, top, height, width = numbers.tolist()
    return Fitting(scale_x, scale_y, int(left), int(top), int(height), int(width))
