"""Cutting windows out of images together with the objects in them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from sightline.data.loading import IGNORE_INDEX
from sightline.errors import SightlineError

Target = dict[str, Any]

_LEAST_SIDE = 1.0  # pixels of a box; what is narrower cannot be seen


class Window(NamedTuple):
    """Part of an image, in pixels; it may reach beyond the image."""

    top: int
    left: int
    height: int
    width: int


class RandomZoom:
    """A window of random size and place, resized to the size of the image: objects grow, shrink and move.

    A window larger than the image is filled up with black. A box that the window cuts keeps the part inside
    it, and is dropped when that is less than ``visible`` of it, with its label and its mask. Masks of classes
    have no class where they are filled up. Draws from torch's global generator.

    Args:
        scale: the least and the largest factor by which objects grow; each doubling is equally likely.
        stretch: the largest factor by which width grows more than height, or height more than width.
        visible: the share of a box that has to be inside the window, 0..1.
        p: how likely an image is to be changed.
        size: height and width of the result, by default those of the image. What follows is quicker on the
            size that the model is given, and pixels are resized only once.

    Raises:
        SightlineError: a number is out of its range.
    """

    def __init__(
        self,
        scale: Sequence[float] = (0.5, 2.0),
        stretch: float = 1.2,
        visible: float = 0.3,
        p: float = 1.0,
        size: Sequence[int] | None = None,
    ) -> None:
        self.scale = checked_scale(scale)
        if stretch < 1:
            raise SightlineError(f"stretch {stretch}: give a factor from 1 on.")
        self.stretch = stretch
        self.visible = checked_share("visible", visible)
        self.p = checked_share("p", p)
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise SightlineError(f"size {list(size)}: give height and width.")
        self.size = None if size is None else (size[0], size[1])

    def __call__(self, image: Tensor, target: Target) -> tuple[Tensor, Target]:
        """``image`` (bands, height, width) and its target, zoomed."""
        height, width = image.shape[-2:]
        size = self.size or (height, width)
        if torch.rand(()) >= self.p:
            if size == (height, width):
                return image, target
            return cut(image, target, Window(0, 0, height, width), size, 0.0)
        growth = draw_between(*self.scale)
        ratio = draw_between(1 / self.stretch, self.stretch) ** 0.5
        high, wide = max(1, round(height / growth * ratio)), max(1, round(width / growth / ratio))
        window = Window(draw_start(height, high), draw_start(width, wide), high, wide)
        return cut(image, target, window, size, self.visible)


def cut(
    image: Tensor, target: Target, window: Window, size: tuple[int, int], visible: float
) -> tuple[Tensor, Target]:
    """The window of an image, resized to ``size`` (height, width), with the annotations in ``target``.

    ``target`` holds what `sightline.data.loading.TorchDataset` gives, or a dictionary of these by task: of
    ``boxes`` (XYXY), ``labels`` and ``masks`` those remain of which at least the share ``visible`` is inside.
    Other values stay as they are.
    """
    return tv_tensors.Image(_resized(image, window, size)), _cut_target(target, window, size, visible)


def _cut_target(target: Target, window: Window, size: tuple[int, int], visible: float) -> Target:
    result: Target = {}
    for key, value in target.items():
        if isinstance(value, dict):
            result[key] = _cut_target(value, window, size, visible)
        elif key == "masks":
            result[key] = tv_tensors.Mask(_resized(value, window, size))
        elif key == "mask":
            # Moved by one, so that 0 of the filled-up part can be told from class 0.
            moved = _resized(value.as_subclass(Tensor)[None].to(torch.int16) + 1, window, size)[0]
            result[key] = tv_tensors.Mask(torch.where(moved == 0, IGNORE_INDEX, moved - 1).to(value.dtype))
        else:
            result[key] = value
    boxes = target.get("boxes")
    if boxes is not None:
        result["boxes"], kept = _cut_boxes(boxes, window, size, visible)
        result |= {key: result[key][kept] for key in ("labels", "masks") if key in result}
        if "masks" in result:
            result["masks"] = tv_tensors.Mask(result["masks"])
    return result


def _cut_boxes(
    boxes: Tensor, window: Window, size: tuple[int, int], visible: float
) -> tuple[tv_tensors.BoundingBoxes, Tensor]:
    """The boxes that remain, in the resized window, and which of all these are, bool (N,)."""
    corner = torch.tensor([window.left, window.top] * 2, dtype=torch.float32)
    scale = torch.tensor([size[1] / window.width, size[0] / window.height] * 2, dtype=torch.float32)
    limit = torch.tensor([size[1], size[0]] * 2, dtype=torch.float32)
    whole = (boxes.as_subclass(Tensor) - corner) * scale
    inside = torch.minimum(whole.clamp(min=0), limit)
    areas = [(one[:, 2:] - one[:, :2]).prod(dim=1) for one in (inside, whole)]
    seen = (inside[:, 2:] - inside[:, :2]).amin(dim=1) >= _LEAST_SIDE
    kept = seen & (areas[0] >= visible * areas[1])
    return boxes_like(inside[kept], size), kept


def boxes_like(boxes: Tensor, size: tuple[int, int]) -> tv_tensors.BoundingBoxes:
    """``boxes`` (N, 4) left, top, right, bottom in an image of ``size`` (height, width)."""
    return tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size)  # pyright: ignore[reportCallIssue]


def _resized(value: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """The window of an image or of masks, filled up with 0; classes and objects are not mixed."""
    if isinstance(value, tv_tensors.Image):
        how = functional.InterpolationMode.BILINEAR
        return functional.resized_crop(value, *window, size=list(size), interpolation=how, antialias=True)
    if value.shape[0] == 0:
        return value.new_zeros((0, *size))
    mask = tv_tensors.Mask(value)
    return functional.resized_crop(mask, *window, size=list(size)).as_subclass(Tensor)


def draw_between(least: float, most: float) -> float:
    """A factor between two, each doubling equally likely."""
    return least * (most / least) ** float(torch.rand(()))


def draw_start(whole: int, part: int) -> int:
    """Where a part begins that is anywhere in the whole, or has the whole anywhere in itself."""
    room = whole - part
    start = int(torch.randint(abs(room) + 1, ()))
    return start if room >= 0 else -start


def checked_scale(scale: Sequence[float]) -> tuple[float, float]:
    """``scale``, the least and the largest factor; or a `SightlineError`."""
    if len(scale) != 2 or not 0 < scale[0] <= scale[1]:
        raise SightlineError(f"scale {list(scale)}: give the least factor and the largest, above 0.")
    return scale[0], scale[1]


def checked_share(name: str, value: float) -> float:
    """``value``, a share; or a `SightlineError` that names the setting."""
    if not 0 <= value <= 1:
        raise SightlineError(f"{name} {value}: give a share from 0 to 1.")
    return value
