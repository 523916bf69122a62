"""From a dataset to batches."""

import numpy as np
import polars as pl
import torch
from torchvision.transforms import v2

from sightline.data import Dataset
from sightline.data.loading import Loader, TorchDataset


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


def make_parts(dataset: Dataset, image_size: int, flip: bool, seed: int) -> dict[str, TorchDataset]:
    """The splits that the dataset has, ready for a loader. Without a ``validation`` split, a tenth of the
    training images is held back for it."""
    splits = set(dataset.samples["split"].unique())
    data = {
        split: dataset.create_split_dataset(split)
        for split in ("train", "validation", "test")
        if split in splits
    }
    if "validation" not in data:
        shuffled = data["train"].shuffle(seed)
        held_back = max(1, len(shuffled) // 10)
        data |= {"train": shuffled[held_back:], "validation": shuffled[:held_back]}
    plain = evaluation_transforms(image_size)
    return {
        split: TorchDataset(
            part, training_transforms(image_size, flip) if split == "train" else plain, seed=seed
        )
        for split, part in data.items()
    }


def make_loader(
    part: TorchDataset, split: str, batch_size: int, workers: int, seed: int, device: torch.device
) -> Loader:
    """Batches of a split on the device; training batches are shuffled and all of the same size."""
    return Loader(
        part,
        min(batch_size, len(part)),
        shuffle=split == "train",
        seed=seed,
        workers=workers,
        device=device,
    )
