"""From a dataset to batches."""

import torch
from sightline.data.torch_bridge import TorchDataset, collate
from torch.utils.data import DataLoader, Subset
from torchvision.transforms import v2

from sightline.data import Dataset


def fitting_image_size(dataset: Dataset) -> int:
    """A side that suits most images: the median of the longer sides, a multiple of 8 in 16..128 pixels."""
    longer = dataset.samples.select(longer="height").to_series().to_list()
    longer = [max(pair) for pair in zip(longer, dataset.samples["width"].to_list(), strict=True)]
    return min(128, max(16, 8 * round(sorted(longer)[len(longer) // 2] / 8)))


def training_transforms(image_size: int, flip: bool) -> v2.Transform:
    """Small shifts, turns and changes of scale; left-right flips only where they make sense."""
    steps: list[v2.Transform] = [
        v2.Resize((image_size, image_size), antialias=True),
        v2.RandomAffine(degrees=8, translate=(0.08, 0.08), scale=(0.92, 1.08)),
    ]
    return v2.Compose([*steps, v2.RandomHorizontalFlip()] if flip else steps)


def evaluation_transforms(image_size: int) -> v2.Transform:
    return v2.Resize((image_size, image_size), antialias=True)


def make_loaders(
    dataset: Dataset, image_size: int, batch_size: int, workers: int, flip: bool, seed: int
) -> dict[str, DataLoader]:
    """One loader per split that the dataset has. Without a ``validation`` split, a tenth of the training
    images is held back for it."""
    splits = set(dataset.samples["split"].unique())
    plain = evaluation_transforms(image_size)
    augmented = training_transforms(image_size, flip)

    def torch_split(split: str, transforms: v2.Transform) -> TorchDataset:
        return TorchDataset(dataset.create_split_dataset(split), transforms=transforms)

    parts: dict[str, TorchDataset | Subset] = {"train": torch_split("train", augmented)}
    if "validation" in splits:
        parts["validation"] = torch_split("validation", plain)
    else:
        order = torch.randperm(len(parts["train"]), generator=torch.Generator().manual_seed(seed)).tolist()
        held_back = max(1, len(order) // 10)
        parts["validation"] = Subset(torch_split("train", plain), order[:held_back])
        parts["train"] = Subset(parts["train"], order[held_back:])
    if "test" in splits:
        parts["test"] = torch_split("test", plain)

    return {
        split: DataLoader(
            part,
            batch_size=min(batch_size, len(part)),
            shuffle=split == "train",
            drop_last=split == "train",
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=collate,
        )
        for split, part in parts.items()
    }
