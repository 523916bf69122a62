"""From a dataset to batches."""

from typing import Any

import numpy as np
import polars as pl
import torch
from torch.utils.data import DataLoader, Subset
from torchvision.transforms import v2

from sightline.data import Dataset
from sightline.data.torch_bridge import TorchDataset, collate


def fitting_image_size(dataset: Dataset) -> int:
    """A side that suits most images: the median of the longer sides, a multiple of 8 in 16..128 pixels."""
    longer = dataset.samples.select(pl.max_horizontal("height", "width")).to_series()
    return min(128, max(16, 8 * round(float(np.median(longer)) / 8)))


def training_transforms(image_size: int, flip: bool) -> v2.Transform:
    """Small shifts, turns and changes of scale; left-right flips only where they make sense."""
    return v2.Compose(
        [
            v2.Resize((image_size, image_size), antialias=True),
            v2.RandomAffine(degrees=(-8, 8), translate=(0.08, 0.08), scale=(0.92, 1.08)),
            v2.RandomHorizontalFlip(p=0.5 if flip else 0),
        ]
    )


def evaluation_transforms(image_size: int) -> v2.Transform:
    return v2.Resize((image_size, image_size), antialias=True)


def make_parts(
    dataset: Dataset, image_size: int, flip: bool, seed: int
) -> dict[str, TorchDataset | Subset[Any]]:
    """The splits that the dataset has, ready for a loader. Without a ``validation`` split, a tenth of the
    training images is held back for it."""
    splits = set(dataset.samples["split"].unique())
    plain = evaluation_transforms(image_size)
    train = TorchDataset(dataset.create_split_dataset("train"), training_transforms(image_size, flip))
    parts: dict[str, TorchDataset | Subset[Any]] = {"train": train}
    if "validation" in splits:
        parts["validation"] = TorchDataset(dataset.create_split_dataset("validation"), plain)
    else:
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed)).tolist()
        held_back = max(1, len(order) // 10)
        unchanged = TorchDataset(dataset.create_split_dataset("train"), plain)
        parts["validation"] = Subset(unchanged, order[:held_back])
        parts["train"] = Subset(train, order[held_back:])
    if "test" in splits:
        parts["test"] = TorchDataset(dataset.create_split_dataset("test"), plain)
    return parts


def make_loader(
    part: TorchDataset | Subset[Any], split: str, batch_size: int, workers: int
) -> DataLoader[Any]:
    """Batches of a split; training batches are shuffled and all of the same size."""
    training = split == "train"
    return DataLoader(
        part,
        batch_size=min(batch_size, len(part)),
        shuffle=training,
        drop_last=training,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=collate,
    )
