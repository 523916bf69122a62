"""Items to a batch, made so that it travels from a worker in few pieces."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import default_collate, get_worker_info
from torchvision import tv_tensors

from sightline.data.loading.targets import Target
from sightline.errors import SightlineError

_STACKED = ("label", "mask")  # one per image, and of one shape
Item = tuple[Any, Target]


class Fetched(Sequence[Item]):
    """The items of a batch whose pixels lie in one tensor already, (B, channels, height, width)."""

    def __init__(self, images: torch.Tensor, targets: list[Target]) -> None:
        self.images = images
        self.targets = targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: Any) -> Any:
        return tv_tensors.Image(self.images[index]), self.targets[index]


def collate(items: Sequence[Item]) -> tuple[torch.Tensor, Target]:
    """A batch of items: images stacked, and of the targets ``label`` and ``mask``; the rest as lists.

    A batch holds plain tensors. Numbers (``sample_index``) become a tensor, and the targets of several
    tasks a dictionary each. The images keep the order of their items in memory (channels last, unless a
    transform changed it).

    Raises:
        SightlineError: the images, or masks, differ in size.
    """
    if isinstance(items, Fetched):
        return items.images, _together(items.targets)
    return _stacked([image for image, _ in items], "images"), _together([target for _, target in items])


def empty_batch(shape: tuple[int, ...], dtype: torch.dtype, *, sent: bool) -> torch.Tensor:
    """Room for the images of a batch, (count, height, width, channels).

    ``sent``: it will be the batch itself, and so is in shared memory where a worker is to send it.
    """
    if not sent or get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    storage = torch.UntypedStorage._new_shared(math.prod(shape) * dtype.itemsize)
    return torch.empty(0, dtype=dtype).set_(storage).view(shape)


class _Ragged(list[torch.Tensor]):
    """Tensors that differ in their first dimension: pickled as one tensor, unpickled as a list.

    Each tensor that leaves a worker is a file to be made, sent and mapped; boxes and labels of a batch
    would be hundreds.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _cut, (torch.cat(self), [len(tensor) for tensor in self])


def _cut(tensor: torch.Tensor, lengths: list[int]) -> list[torch.Tensor]:
    return list(tensor.split(lengths))


def _together(targets: list[Target]) -> Target:
    batch: Target = {}
    for key, first in targets[0].items():
        values = [target[key] for target in targets]
        if isinstance(first, dict):
            batch[key] = _together(values)
        elif isinstance(first, torch.Tensor):
            batch[key] = _stacked(values, f"{key}s") if key in _STACKED else _ragged(values)
        else:
            batch[key] = torch.tensor(values) if isinstance(first, int) else values
    return batch


def _ragged(values: list[torch.Tensor]) -> list[torch.Tensor]:
    plain = [value.as_subclass(torch.Tensor) for value in values]
    alike = all(value.dim() and value.shape[1:] == plain[0].shape[1:] for value in plain)
    return _Ragged(plain) if alike else plain


def _stacked(values: list[torch.Tensor], what: str) -> torch.Tensor:
    shapes = {tuple(value.shape) for value in values}
    if len(shapes) > 1:
        raise SightlineError(
            f"a batch holds {what} of the shapes {sorted(shapes)}; make them of one size by a transform, or "
            "take them one at a time (loader.batch_size, loader.eval_batch_size: 1)."
        )
    plain = [value.as_subclass(torch.Tensor) for value in values]
    if all(value.dim() == 3 and value.permute(1, 2, 0).is_contiguous() for value in plain):
        return default_collate([value.permute(1, 2, 0) for value in plain]).permute(0, 3, 1, 2)
    return default_collate(plain)
