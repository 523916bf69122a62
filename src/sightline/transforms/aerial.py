"""Transforms of images from above, where no direction is special, with any number of bands and any type.

All are torchvision transforms v2: they take and give images, boxes and masks together, draw from torch's
global generator, and work on a GPU as well.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from sightline.data.loading import IGNORE_INDEX
from sightline.errors import SightlineError


class D4(v2.Transform):
    """One of the eight ways to lay a square on itself: turned by quarters, mirrored or not, each as likely.

    An image that is not square is turned by halves only, as it is to keep its size.
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the turn."""
        height, width = v2.functional.get_size(_image_of(flat_inputs))
        quarters = int(torch.randint(4, ())) if height == width else 2 * int(torch.randint(2, ()))
        return {"quarters": quarters, "mirrored": bool(torch.rand(()) < 0.5)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Mirror, then turn."""
        if params["mirrored"]:
            inpt = functional.horizontal_flip(inpt)
        for _ in range(params["quarters"]):  # transposing and mirroring is exact, where rotating interpolates
            inpt = _quarter_turn(inpt)
        return inpt


def _quarter_turn(inpt: Any) -> Any:
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        height, width = inpt.canvas_size
        left, top, right, bottom = inpt.as_subclass(torch.Tensor).unbind(-1)
        boxes = torch.stack([top, width - right, bottom, width - left], dim=-1)
        return tv_tensors.BoundingBoxes(boxes, format=inpt.format, canvas_size=(width, height))  # pyright: ignore[reportCallIssue]
    return _like(torch.rot90(inpt.as_subclass(torch.Tensor), 1, (-2, -1)), inpt)


class RandomAffine(v2.RandomAffine):
    """torchvision's, with pixels that come in from outside given to no class; see `v2.RandomAffine`."""

    def __init__(
        self,
        degrees: float | Sequence[float] = 0,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        fill: float = 0,
        mask_fill: float = IGNORE_INDEX,
    ) -> None:
        """``fill`` is for images, ``mask_fill`` for masks; 0 for those that have one for each object."""
        super().__init__(
            degrees,  # pyright: ignore[reportArgumentType]
            translate,
            scale,
            shear,
            interpolation=InterpolationMode.BILINEAR,
            fill={tv_tensors.Image: fill, tv_tensors.Mask: mask_fill, "others": fill},
        )


class RandomWindow(v2.RandomCrop):
    """A window of ``size`` (height, width) anywhere in the image.

    What is smaller is filled up, images with ``fill`` and masks with no class.
    """

    def __init__(self, size: Sequence[int], fill: float = 0) -> None:
        if len(size) != 2:
            raise SightlineError(f"size {list(size)}: give height and width.")
        super().__init__(
            list(size),
            pad_if_needed=True,
            fill={tv_tensors.Image: fill, tv_tensors.Mask: IGNORE_INDEX, "others": fill},
        )


class BandJitter(v2.Transform):
    """Brightness and contrast of each band apart, and of all together: other light, another sensor.

    Args:
        brightness: up to this share of the type's whole range is added or taken away.
        contrast: distances from the mean of the band are multiplied by 1 - contrast to 1 + contrast.
        apart: share of both that bands draw each for themselves.
    """

    def __init__(self, brightness: float = 0.1, contrast: float = 0.2, apart: float = 0.3) -> None:
        super().__init__()
        for name, value in (("brightness", brightness), ("contrast", contrast), ("apart", apart)):
            if not 0 <= value <= 1:
                raise SightlineError(f"{name} {value}: give a share from 0 to 1.")
        self.brightness, self.contrast, self.apart = brightness, contrast, apart

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw a number for each band."""
        bands = _image_of(flat_inputs).shape[-3]

        def draw(most: float) -> torch.Tensor:
            together, each = torch.rand(()) * 2 - 1, torch.rand(bands) * 2 - 1
            return most * ((1 - self.apart) * together + self.apart * each)

        return {"shift": draw(self.brightness), "factor": 1 + draw(self.contrast)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Images alone are changed."""
        if not isinstance(inpt, tv_tensors.Image):
            return inpt
        values = inpt.as_subclass(torch.Tensor)
        largest = 1.0 if values.is_floating_point() else float(torch.iinfo(values.dtype).max)
        pixels = values.float()
        means = pixels.mean(dim=(-2, -1), keepdim=True)
        factor = params["factor"].to(pixels.device).view(-1, 1, 1)
        shift = params["shift"].to(pixels.device).view(-1, 1, 1) * largest
        changed = (pixels - means) * factor + means + shift
        if values.is_floating_point():
            return _like(changed.to(values.dtype), inpt)
        return _like(changed.round().clamp(0, largest).to(values.dtype), inpt)


class Dropout(v2.Transform):
    """Rectangles of the image blotted out, where masks have no class (DeVries, Taylor 2017,
    arXiv:1708.04552).

    Args:
        count: as many rectangles, at most.
        size: their sides, at most, as a share of the image's.
        fill: what they are filled with.
        p: how likely an image is to have any.
    """

    def __init__(self, count: int = 4, size: float = 0.2, fill: float = 0, p: float = 0.5) -> None:
        super().__init__()
        if count < 1 or not 0 < size <= 1 or not 0 <= p <= 1:
            raise SightlineError(
                f"count {count}, size {size}, p {p}: count is from 1 on, size and p are shares up to 1."
            )
        self.count, self.size, self.fill, self.p = count, size, fill, p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the rectangles."""
        height, width = v2.functional.get_size(_image_of(flat_inputs))
        if torch.rand(()) >= self.p:
            return {"rectangles": []}
        rectangles = []
        for _ in range(int(torch.randint(1, self.count + 1, ()))):
            high, wide = (max(1, int(torch.rand(()) * self.size * side)) for side in (height, width))
            top, left = int(torch.randint(height - high + 1, ())), int(torch.randint(width - wide + 1, ()))
            rectangles.append((slice(top, top + high), slice(left, left + wide)))
        return {"rectangles": rectangles}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Boxes stay."""
        if not params["rectangles"] or not isinstance(inpt, tv_tensors.Image | tv_tensors.Mask):
            return inpt
        pixels = inpt.as_subclass(torch.Tensor).clone()
        # A mask for each object says where that is; one for all says what each pixel is.
        fill = self.fill if isinstance(inpt, tv_tensors.Image) else IGNORE_INDEX if inpt.ndim == 2 else 0
        for rows, columns in params["rectangles"]:
            pixels[..., rows, columns] = fill
        return _like(pixels, inpt)


def _like(pixels: torch.Tensor, image_or_mask: torch.Tensor) -> torch.Tensor:
    return (tv_tensors.Image if isinstance(image_or_mask, tv_tensors.Image) else tv_tensors.Mask)(pixels)


def _image_of(flat_inputs: list[Any]) -> torch.Tensor:
    for one in flat_inputs:
        if isinstance(one, tv_tensors.Image):
            return one
    raise SightlineError("the transform was given no image.")
