"""Images of any size for models that halve theirs several times: padded inside, cut back outside."""

import torch
from torch import Tensor, nn


class Segmenter(nn.Module):
    """A model whose logits have the size of its images, whatever that is.

    Subclasses implement `logits` for heights and widths that are multiples of ``multiple``. Below and to the
    right of others the last rows and columns are repeated, and what the model says there is cut off. With
    sizes that are dynamic, an exported graph pads and cuts too.
    """

    multiple: int
    """What heights and widths inside the model are multiples of."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of images (B, channels, H, W)."""
        height, width = images.shape[-2:]
        padded = _to_multiple(_to_multiple(images, 2, self.multiple), 3, self.multiple)
        return _first(_first(self.logits(padded), 2, height), 3, width)

    def logits(self, images: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of images whose H and W are multiples of ``multiple``."""
        raise NotImplementedError


# Both go by index where the model is exported. ``F.pad`` and slices leave in the graph that its sizes are, or
# are not, multiples, as those of the example were; and asking here would do the same.


def _to_multiple(images: Tensor, axis: int, multiple: int) -> Tensor:
    """``images`` with the last row (``axis`` 2) or column (3) repeated until their number is a multiple."""
    size = images.shape[axis]
    if not torch.compiler.is_exporting() and size % multiple == 0:
        return images
    places = torch.arange((size + multiple - 1) // multiple * multiple, device=images.device)
    return images.index_select(axis, places.clamp(max=size - 1))


def _first(logits: Tensor, axis: int, count: int) -> Tensor:
    """The first ``count`` rows (``axis`` 2) or columns (3)."""
    if not torch.compiler.is_exporting():
        return logits.narrow(axis, 0, count)
    return logits.index_select(axis, torch.arange(count, device=logits.device))
