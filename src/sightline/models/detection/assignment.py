"""Which locations of a dense detector are to say which box: chosen by what the model says so far."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Boxes(NamedTuple):
    """All boxes of a batch of images, one after the other."""

    boxes: Tensor
    """Left, top, right, bottom in pixels, float32 (G, 4)."""
    labels: Tensor
    """Class indices, int64 (G,)."""
    images: Tensor
    """The number in the batch of the image that each is in, int64 (G,)."""


class Assignment(NamedTuple):
    """For each of G boxes the K locations that come into question, the best first.

    All of shape (G, K); sizes do not depend on what is computed, so that nothing waits for a GPU.
    """

    places: Tensor
    """The location's number in the batch, image by image, int64."""
    quality: Tensor
    """What the location is to score for the box's class, 0..1; 0: the location is not responsible."""


def boxes_of(targets: Sequence[dict[str, Tensor]]) -> Boxes:
    """The boxes of all images of a batch together."""
    counts = torch.tensor([len(target["boxes"]) for target in targets])
    boxes = torch.cat([target["boxes"] for target in targets]).float()
    images = torch.repeat_interleave(torch.arange(len(targets)), counts).to(boxes.device)
    return Boxes(boxes, torch.cat([target["labels"] for target in targets]), images)


@torch.no_grad()
def assign(
    scores: Tensor,
    predicted: Tensor,
    points: Tensor,
    finest: int,
    truth: Boxes,
    *,
    most: int = 10,
    score_power: float = 1.0,
    overlap_power: float = 6.0,
) -> Assignment:
    """Task-aligned assignment (TOOD, Feng et al. 2021, arXiv:2108.07755): who says it best so far, learns it.

    A box goes to the ``most`` locations inside it for which ``score ** score_power * IoU ** overlap_power``
    is highest. A location that several boxes want goes to the one that it overlaps most, or the first of
    those that it overlaps equally. The quality is the alignment, scaled for each box so that its best
    location is to score as high as it overlaps.

    Unlike in the paper, a box smaller than the finest stride reaches to the locations next to it, and an
    overlap counts as a thousandth at least: a box that nothing overlaps yet is learned all the same.

    Args:
        scores: 0..1, (B, N, C).
        predicted: boxes, (B, N, 4).
        points: the centres (x, y) of the locations, (N, 2).
        finest: the smallest distance of neighbouring locations, in pixels.
        truth: the boxes to be found.
    """
    images, locations = scores.shape[0], scores.shape[1]
    overlaps = _overlaps(predicted[truth.images], truth.boxes[:, None]).clamp(min=1e-3)
    scored = scores.transpose(1, 2)[truth.images, truth.labels]
    alignment = scored**score_power * overlaps**overlap_power
    alignment = alignment.masked_fill(~_inside(points, truth.boxes, finest), -1.0)

    alignment, places = alignment.topk(min(most, locations), dim=1)
    overlaps = overlaps.gather(1, places).masked_fill(alignment < 0, 0.0)
    places = places + truth.images[:, None] * locations
    claimed = overlaps.new_zeros(images * locations)
    claimed = claimed.scatter_reduce(0, places.flatten(), overlaps.flatten(), "amax")
    won = (overlaps > 0) & (overlaps == claimed[places])
    # Of boxes that overlap a place's equally, the first has it.
    rows = torch.arange(len(places), device=places.device)[:, None].expand_as(places)
    first = rows.new_full((images * locations,), len(places))
    first = first.scatter_reduce(0, places.flatten(), rows.masked_fill(~won, len(places)).flatten(), "amin")
    won &= rows == first[places]

    alignment, overlaps = alignment * won, overlaps * won
    best = alignment.amax(dim=1, keepdim=True).clamp(min=torch.finfo(alignment.dtype).tiny)
    quality = alignment / best * overlaps.amax(dim=1, keepdim=True)
    return Assignment(places, quality)


def _inside(points: Tensor, boxes: Tensor, finest: int) -> Tensor:
    """Whether each location is inside each box, (G, N); a box counts as ``finest`` wide and high at least."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).clamp(min=finest) / 2
    return ((points - centres[:, None]).abs() <= halves[:, None]).all(dim=2)


def _overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) that are broadcast against each other."""
    shared = torch.minimum(boxes[..., 2:], others[..., 2:]) - torch.maximum(boxes[..., :2], others[..., :2])
    area = shared.clamp(min=0).prod(dim=-1)
    areas = [(one[..., 2:] - one[..., :2]).prod(dim=-1) for one in (boxes, others)]
    return area / (areas[0] + areas[1] - area).clamp(min=1e-7)
