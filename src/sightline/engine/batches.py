"""Cutting a batch into parts."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor
from torchvision import tv_tensors

from sightline.tasks.task import item_count


def parts_of(batch: Any, count: int) -> list[Any]:
    """The batch in up to ``count`` parts of nearly equal size, in order.

    Tensors and lists as long as the batch are cut; tuples, mappings and other lists are gone into; the
    rest is in every part.
    """
    items = item_count(batch)
    count = min(count, items)
    if count <= 1:
        return [batch]
    edges = [items * number // count for number in range(count + 1)]
    cuts = [slice(*pair) for pair in pairwise(edges)]
    if isinstance(batch, list):  # its parts, as default_collate gives them, however many items it has
        return [[_part(value, items, cut) for value in batch] for cut in cuts]
    return [_part(batch, items, cut) for cut in cuts]


def _part(value: Any, items: int, which: slice) -> Any:
    if isinstance(value, Tensor):
        if not value.ndim or value.shape[0] != items:
            return value
        part = value[which]
        return tv_tensors.wrap(part, like=value) if isinstance(value, tv_tensors.TVTensor) else part  # pyright: ignore[reportCallIssue]
    if isinstance(value, Mapping):
        return {key: _part(inner, items, which) for key, inner in value.items()}
    if isinstance(value, list) and len(value) == items:
        return value[which]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_part(inner, items, which) for inner in value))
    if isinstance(value, list | tuple):
        return type(value)(_part(inner, items, which) for inner in value)
    return value
