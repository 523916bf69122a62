"""The contenders of `loader.py` in one environment: an epoch for each line of input.

    python benchmarks/loader_contenders.py <data>

A line is ``<contender> <setting> <workers>``; the answer is images a second.
"""

import os
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, default_collate
from torchvision.transforms import v2

BATCH_SIZE = {"cifar": 128, "photos": 32}
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
AUGMENTATIONS: dict[str, list[Any]] = {
    "cifar_plain": [],
    "cifar_augmented": [v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()],
    "photos_plain": [],
    "photos_augmented": [v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()],
}


def in_item(setting: str) -> v2.Compose:
    """Augmentation and normalisation of one image, a PIL image at first."""
    to_float = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    return v2.Compose([*AUGMENTATIONS[setting], *to_float])


def ours(way: str, setting: str, workers: int, data: Path) -> Iterable[Any]:
    from sightline.data import Dataset
    from sightline.data.loading import Loader, Normalize, ShiftFlip, TorchDataset

    storage, _, batchwise = way.partition("_")
    augmentation: Any = v2.Compose(AUGMENTATIONS[setting]) if AUGMENTATIONS[setting] else None
    if batchwise:
        augmentation = ShiftFlip(4)
    dataset = TorchDataset(
        Dataset.from_path(data / "dataset"),
        augmentation,
        storage=data / "pack" if storage == "packed" else storage,
    )
    return Loader(
        dataset,
        batch_size(setting),
        shuffle=True,
        last="keep",
        workers=workers,
        normalize=Normalize(MEAN, STD),
    )


def imagefolder(setting: str, workers: int, data: Path) -> Iterable[Any]:
    from torchvision.datasets import ImageFolder

    return data_loader(ImageFolder(data / "images", in_item(setting)), setting, workers)


def hafnia(setting: str, workers: int, data: Path) -> Iterable[Any]:
    from hafnia.dataset.hafnia_dataset import HafniaDataset  # pyright: ignore[reportMissingImports]
    from hafnia.dataset.torch_helpers import TorchvisionDataset  # pyright: ignore[reportMissingImports]

    dataset = TorchvisionDataset(HafniaDataset.from_path(data / "dataset"), in_item(setting))
    return data_loader(dataset, setting, workers)


def webdataset(setting: str, workers: int, data: Path) -> Iterable[Any]:
    import webdataset as wds  # pyright: ignore[reportMissingImports]

    transform = in_item(setting)
    dataset = (
        wds.WebDataset([str(data / f"{number}.tar") for number in (0, 1)], shardshuffle=2)
        .shuffle(1000)
        .decode("pil")
        .to_tuple("jpg", "cls")
        .map_tuple(transform, int)
        .batched(batch_size(setting), collation_fn=default_collate)
    )
    return DataLoader(dataset, batch_size=None, num_workers=workers, persistent_workers=workers > 0)


def data_loader(dataset: Any, setting: str, workers: int) -> DataLoader[Any]:
    return DataLoader(
        dataset,
        batch_size(setting),
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def batch_size(setting: str) -> int:
    return BATCH_SIZE[setting.partition("_")[0]]


def main() -> None:
    data = Path(sys.argv[1])
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # some libraries print
    # Beside workers and others' processes, threads that wait for each other would measure the machine.
    torch.set_num_threads(1)
    peers = {"imagefolder": imagefolder, "hafnia": hafnia, "webdataset": webdataset}
    loaders: dict[str, Any] = {}
    present = None
    for line in sys.stdin:
        name, setting, workers = line.split()
        if present != (setting, workers):
            loaders.clear()  # and with them their workers
            present = (setting, workers)
        if name not in loaders:
            folder = data / setting.partition("_")[0]
            make = peers.get(name) or partial(ours, name)
            loaders[name] = make(setting, int(workers), folder)
        start, count = time.perf_counter(), 0
        for images, _targets in loaders[name]:
            assert images.dtype == torch.float32
            count += len(images)
        print(count / (time.perf_counter() - start), file=results)


if __name__ == "__main__":
    main()
