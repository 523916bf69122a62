"""What the processes that evaluate together have seen, put together."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def summed(counts: Tensor) -> Tensor:
    """The sum over all ranks, on the CPU; a rank's own ``counts`` stay as they are."""
    return torch.stack(_of_each_rank(counts)).sum(dim=0)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """The flat ``parts`` of all ranks one after the other, by rank, on the CPU."""
    return torch.cat(_of_each_rank(torch.cat(list(parts)) if parts else torch.zeros(0)))


def _of_each_rank(value: Tensor) -> list[Tensor]:
    """As objects, since they may be of different sizes, and on a rank without a batch not on the GPU."""
    value = value.cpu()
    if not dist.is_available() or not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
