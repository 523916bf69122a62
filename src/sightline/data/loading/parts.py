"""What lies below a dataset that is put together from others by torch's ``Subset`` and ``ConcatDataset``."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from torch.utils.data import ConcatDataset, Subset


def leaves(dataset: Any) -> Iterator[Any]:
    """The datasets that items come from in the end; the dataset itself where it is not put together."""
    if type(dataset) is Subset:
        yield from leaves(dataset.dataset)
    elif type(dataset) is ConcatDataset:
        for part in dataset.datasets:
            yield from leaves(part)
    else:
        yield dataset


def file_of(dataset: Any, index: int) -> str | None:
    """The file of an item, where the dataset says: by ``file_paths``, or ``samples`` as of torchvision's."""
    while True:
        if type(dataset) is Subset:
            dataset, index = dataset.dataset, dataset.indices[index]
        elif type(dataset) is ConcatDataset:
            part = bisect_right(dataset.cumulative_sizes, index)
            index -= dataset.cumulative_sizes[part - 1] if part else 0
            dataset = dataset.datasets[part]
        else:
            break
    files = getattr(dataset, "file_paths", None)
    if isinstance(files, list):
        return str(files[index])
    samples = getattr(dataset, "samples", None)  # (file, class) each
    entry = samples[index] if isinstance(samples, list) else None
    return entry[0] if isinstance(entry, tuple) and entry and isinstance(entry[0], str) else None


def tell_epoch(dataset: Any, epoch: int) -> None:
    """Call ``set_epoch`` of the dataset and of those that it holds as ``dataset`` or ``datasets``."""
    seen: set[int] = set()
    waiting = [dataset]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if callable(getattr(current, "set_epoch", None)):
            current.set_epoch(epoch)
        waiting.append(getattr(current, "dataset", None))
        parts = getattr(current, "datasets", None)
        waiting += (
            parts.values() if isinstance(parts, dict) else parts if isinstance(parts, list | tuple) else ()
        )
