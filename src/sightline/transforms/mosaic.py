"""Four images put together: four times the objects and other surroundings in each."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset
from torchvision import tv_tensors

from sightline.data.loading.reading import collate_of
from sightline.transforms.boxes import (
    Target,
    Window,
    boxes_like,
    checked_scale,
    checked_share,
    cut,
    draw_between,
    draw_start,
)

_MIDDLE = (0.3, 0.7)  # where the four meet, as shares of the image
_ANNOTATIONS = ("boxes", "labels", "masks")


class Mosaic(Dataset[tuple[Tensor, Target]]):
    """``dataset`` with some of its images replaced by parts of four (YOLOv4, Bochkovskiy et al. 2020,
    arXiv:2004.10934).

    The first of the four is the item itself, the others are any; each is scaled, and a window of it fills
    a quarter around a point near the middle. The result has the size of the first. Boxes that lose too much
    of themselves are dropped, as by `sightline.transforms.boxes.RandomZoom`.

    Draws from torch's global generator, which `sightline.data.loading.Loader` seeds for each item, so that
    also the other three follow from (seed, epoch, index) alone.
    """

    def __init__(
        self,
        dataset: Any,
        probability: float = 0.5,
        scale: Sequence[float] = (0.5, 1.0),
        visible: float = 0.3,
    ) -> None:
        """Take items of ``dataset``.

        Args:
            dataset: a map-style dataset of (image, target); targets hold ``boxes``, ``labels`` and perhaps
                ``masks``, as of a `sightline.data.loading.TorchDataset` for one task. Other entries are those
                of the first.
            probability: the share of the items that are put together.
            scale: the least and the largest factor by which objects grow; each doubling is equally likely.
            visible: the share of a box that has to be inside its window, 0..1.

        Raises:
            SightlineError: a number is out of its range.
        """
        self.dataset = dataset
        self.collate = collate_of(dataset)
        self.file_paths: list[str] | None = getattr(dataset, "file_paths", None)
        self.probability = checked_share("probability", probability)
        self.scale = checked_scale(scale)
        self.visible = checked_share("visible", visible)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        if torch.rand(()) >= self.probability:
            return self.dataset[index]
        others = torch.randint(len(self.dataset), (3,)).tolist()
        return self._together([self.dataset[one] for one in (index, *others)])

    def _together(self, items: list[tuple[Tensor, Target]]) -> tuple[Tensor, Target]:
        first, target = items[0]
        height, width = first.shape[-2:]
        row, column = _near_middle(height), _near_middle(width)
        canvas = torch.zeros_like(first.as_subclass(Tensor))
        parts: list[Target] = []
        for (image, own), top, left in zip(items, (0, 0, row, row), (0, column, 0, column), strict=True):
            size = (height - row if top else row, width - column if left else column)
            pixels, part = self._part(image, own, size)
            canvas[:, top : top + size[0], left : left + size[1]] = pixels
            part["boxes"] = part["boxes"].as_subclass(Tensor) + torch.tensor([left, top] * 2)
            if "masks" in part:
                around = (left, width - left - size[1], top, height - top - size[0])
                part["masks"] = functional.pad(part["masks"].as_subclass(Tensor), around)
            parts.append(part)
        found = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        found["boxes"] = boxes_like(found["boxes"], (height, width))
        if "masks" in found:
            found["masks"] = tv_tensors.Mask(found["masks"])
        return tv_tensors.Image(canvas), target | found

    def _part(self, image: Tensor, target: Target, size: tuple[int, int]) -> tuple[Tensor, Target]:
        """A window of an image, scaled to ``size``, and the annotations in it."""
        growth = draw_between(*self.scale)
        height, width = (max(1, round(side / growth)) for side in size)
        top, left = draw_start(image.shape[-2], height), draw_start(image.shape[-1], width)
        annotations = {key: target[key] for key in _ANNOTATIONS if key in target}
        return cut(image, annotations, Window(top, left, height, width), size, self.visible)


def _near_middle(side: int) -> int:
    least, most = _MIDDLE
    return round(side * (least + (most - least) * float(torch.rand(()))))
