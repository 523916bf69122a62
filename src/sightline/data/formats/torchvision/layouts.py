"""The files that torchvision's datasets of arrays lie in on disk, read without torchvision.

The layouts: idx files (http://yann.lecun.com/exdb/mnist), Python pickles of CIFAR
(https://www.cs.toronto.edu/~kriz/cifar.html) and the binary files of STL-10
(https://cs.stanford.edu/~acoates/stl10).
"""

import codecs
import gzip
import math
import pickle
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import SightlineError


@dataclass(frozen=True)
class Part:
    """One split: uint8 ``images`` (count, height, width[, 3]), and per task the class number of each."""

    split: str
    images: np.ndarray
    labels: dict[str, np.ndarray]


@dataclass(frozen=True)
class Layout:
    """Where a dataset lies below the root that torchvision was given, and how it is read."""

    folder: str
    read: Callable[[Path], tuple[list[Part], dict[str, list[str]]]]


TASK = "image_classification"
COARSE_TASK = "superclass"

_FASHION = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
_KANA = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
_DIGITS = [str(digit) for digit in range(10)]


def _read_idx_folder(class_names: list[str]) -> Callable[[Path], tuple[list[Part], dict[str, list[str]]]]:
    def read(folder: Path) -> tuple[list[Part], dict[str, list[str]]]:
        parts = []
        for split, prefix in (("train", "train"), ("test", "t10k")):
            paths = [_idx_file(folder, f"{prefix}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")]
            if any(path.is_file() for path in paths):
                images, labels = _read_idx(paths[0], 3), _read_idx(paths[1], 1)
                parts.append(_part(folder, split, images, {TASK: labels}))
        return parts, {TASK: class_names}

    return read


def _idx_file(folder: Path, name: str) -> Path:
    names = [name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz"]
    return next((folder / each for each in names if (folder / each).is_file()), folder / name)


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    content = _content(path)
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        raise SightlineError(f"{path}: is no idx file of {dimensions}-dimensional bytes; fetch it again.")
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], ">u4"))
    if len(content) - header != math.prod(shape):
        raise SightlineError(
            f"{path}: holds {len(content) - header} bytes of data, but its header says "
            f"{math.prod(shape)}; fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _read_cifar10(folder: Path) -> tuple[list[Part], dict[str, list[str]]]:
    names = _entry(folder / "batches.meta", _unpickled(folder / "batches.meta"), "label_names", list)
    train = sorted(folder.glob("data_batch_*"))
    parts = _cifar_parts(train, [folder / "test_batch"], {TASK: "labels"})
    return parts, {TASK: names}


def _read_cifar100(folder: Path) -> tuple[list[Part], dict[str, list[str]]]:
    meta = _unpickled(folder / "meta")
    keys = {TASK: "fine_labels", COARSE_TASK: "coarse_labels"}
    names = {task: _entry(folder / "meta", meta, f"{key[:-1]}_names", list) for task, key in keys.items()}
    return _cifar_parts([folder / "train"], [folder / "test"], keys), names


def _cifar_parts(train: list[Path], test: list[Path], keys: dict[str, str]) -> list[Part]:
    parts = []
    for split, paths in (("train", train), ("test", test)):
        for path in (path for path in paths if path.is_file()):
            batch = _unpickled(path)
            data = _entry(path, batch, "data", np.ndarray)
            if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
                raise SightlineError(
                    f"{path}: data is {data.dtype} of shape {data.shape}, expected bytes of (n, 3072)."
                )
            images = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            labels = {task: np.array(_entry(path, batch, key, list)) for task, key in keys.items()}
            parts.append(_part(path, split, images, labels))
    return parts


def _entry(path: Path, content: Any, key: str, kind: type) -> Any:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        raise SightlineError(f"{path}: has no {kind.__name__} '{key}'; fetch it again.")
    return value


_RECONSTRUCT = np.empty(0).__reduce__()[0]  # what numpy's pickles call; its module has moved over the years
_SAFE_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,  # how protocol 2 spells bytes
}


class _ArraysOnly(pickle.Unpickler):
    """Builds dicts, lists, texts, bytes, numbers and arrays, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _SAFE_GLOBALS:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return _SAFE_GLOBALS[module, name]


def _unpickled(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            # The original files were written by Python 2, whose text came as bytes.
            return _ArraysOnly(stream, encoding="latin1").load()
    except FileNotFoundError:
        raise SightlineError(f"{path}: not found; fetch the dataset again.") from None
    except Exception as error:  # a damaged pickle may raise anything
        raise SightlineError(
            f"{path}: cannot be read as a pickle of arrays ({error}); fetch it again."
        ) from None


def _read_stl10(folder: Path) -> tuple[list[Part], dict[str, list[str]]]:
    names = _content(folder / "class_names.txt").decode("utf-8", errors="replace").split()
    parts = []
    for split in ("train", "test"):
        if (folder / f"{split}_X.bin").is_file():
            data = np.frombuffer(_content(folder / f"{split}_X.bin"), np.uint8)
            if len(data) % (3 * 96 * 96):
                raise SightlineError(f"{folder / f'{split}_X.bin'}: ends within an image; fetch it again.")
            images = data.reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)  # stored column by column
            labels = np.frombuffer(_content(folder / f"{split}_y.bin"), np.uint8).astype(np.int64) - 1
            parts.append(_part(folder, split, images, {TASK: labels}))
    return parts, {TASK: names}


LAYOUTS = {
    "MNIST": Layout("MNIST/raw", _read_idx_folder(_DIGITS)),
    "FashionMNIST": Layout("FashionMNIST/raw", _read_idx_folder(_FASHION)),
    "KMNIST": Layout("KMNIST/raw", _read_idx_folder(_KANA)),
    "CIFAR10": Layout("cifar-10-batches-py", _read_cifar10),
    "CIFAR100": Layout("cifar-100-python", _read_cifar100),
    "STL10": Layout("stl10_binary", _read_stl10),
}
"""The datasets that are known by where they lie below the root that torchvision was given."""


def layouts_in(root: Path) -> Iterator[str]:
    """The names of the datasets that lie below ``root``."""
    return (name for name, layout in LAYOUTS.items() if (root / layout.folder).is_dir())


def read_layout(root: Path, name: str | None) -> tuple[str, list[Part], dict[str, list[str]]]:
    """The dataset ``name`` (default: the only one) below ``root``: its name, splits and class names by task.

    The dataset's own folder will do as ``root``, where ``name`` is given.

    Raises:
        SightlineError: no such dataset, several, or files that are damaged.
    """
    there = list(layouts_in(root))
    if name is None and len(there) != 1:
        raise SightlineError(
            f"{root}: holds {' and '.join(there) or 'none of ' + ', '.join(LAYOUTS)}; say which one it is, "
            "or give the torchvision dataset itself."
        )
    chosen = name or there[0]
    if chosen not in LAYOUTS:
        raise SightlineError(
            f"dataset='{chosen}' is none of {', '.join(LAYOUTS)}; give the torchvision dataset itself, as "
            f"torchvision.datasets.{chosen}(...)."
        )
    folder = root / LAYOUTS[chosen].folder if chosen in there else root
    parts, names = LAYOUTS[chosen].read(folder)
    if not parts:
        raise SightlineError(f"{folder}: holds no files of {chosen}; fetch the dataset again.")
    for part in parts:
        for task, labels in part.labels.items():
            if len(labels) and not 0 <= labels.min() <= labels.max() < len(names[task]):
                raise SightlineError(
                    f"{folder}: {part.split} has class {labels.max()} of {len(names[task])}; fetch it again."
                )
    return chosen, parts, names


def _part(source: Path, split: str, images: np.ndarray, labels: dict[str, np.ndarray]) -> Part:
    for numbers in labels.values():
        if numbers.shape != (len(images),) or not np.issubdtype(numbers.dtype, np.integer):
            raise SightlineError(
                f"{source}: {split} has {len(images)} images and {len(numbers)} labels; fetch it again."
            )
    return Part(split, images, {task: numbers.astype(np.int64) for task, numbers in labels.items()})


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except FileNotFoundError:
        raise SightlineError(f"{path}: not found; fetch the dataset again.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise SightlineError(f"{path}: cannot be unpacked ({error}); fetch it again.") from None
