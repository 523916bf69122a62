"""Augmentation of whole batches: for small images, where a call per image costs more than its pixels."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch

from sightline.data.loading.seeding import scrambled


@runtime_checkable
class BatchTransform(Protocol):
    """A transform of the images of a batch at once, in place of one per item, for classification."""

    def transform_batch(self, images: torch.Tensor, seeds: np.ndarray) -> torch.Tensor:
        """The images, changed: from (B, 3, height, width) uint8 to images of one size.

        ``seeds`` has a uint64 per image, from which all that is random about it must follow, so that an
        image is changed alike in whatever batch it comes.
        """
        ...


class ShiftFlip:
    """Shift each image by up to ``shift`` pixels in both directions and mirror it with probability ``flip``.

    What moves in from outside is black. The distribution is that of torchvision's ``RandomCrop(size,
    padding=shift)`` and ``RandomHorizontalFlip(flip)`` on images of that size, the usual augmentation of
    CIFAR (He et al. 2015, https://arxiv.org/abs/1512.03385, section 4.2).
    """

    def __init__(self, shift: int, flip: float = 0.5) -> None:
        self.shift = shift
        self.flip = flip

    def transform_batch(self, images: torch.Tensor, seeds: np.ndarray) -> torch.Tensor:
        """See `BatchTransform`."""
        pixels = images.permute(0, 2, 3, 1).numpy()
        count, height, width, channels = pixels.shape
        draws = [scrambled(seeds ^ np.uint64(use)) for use in (1, 2, 3)]
        tops, lefts = ((draw % np.uint64(2 * self.shift + 1)).astype(np.int64) for draw in draws[:2])
        mirrored = draws[2] < np.uint64(self.flip * (2**64 - 2**11))
        padded = np.zeros((count, height + 2 * self.shift, width + 2 * self.shift, channels), dtype=np.uint8)
        inner = slice(self.shift, self.shift + height), slice(self.shift, self.shift + width)
        padded[:, inner[0], inner[1]] = pixels
        rows = tops[:, None] + np.arange(height)
        columns = lefts[:, None] + np.where(mirrored[:, None], np.arange(width)[::-1], np.arange(width))
        # One index per pixel rather than per byte.
        flat = padded.reshape(count, -1, channels)
        places = rows[:, :, None] * padded.shape[2] + columns[:, None, :]
        changed = flat[np.arange(count)[:, None, None], places]
        return torch.from_numpy(changed).permute(0, 3, 1, 2)
