"""Folders of images sorted into classes, as ``<root>/<split>/<class>/*.jpg`` or ``<root>/<class>/*.jpg``."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sightline.data.images import IMAGE_SUFFIXES, image_size
from sightline.data.primitives import Classification
from sightline.data.sample import Sample
from sightline.data.splits import UNDEFINED, assign_splits, split_from_name
from sightline.errors import SightlineError


def samples_from_image_folder(
    root: Path, *, task_name: str, split_ratios: Mapping[str, float] | None, seed: int
) -> tuple[list[Sample], list[str]]:
    """The samples, sorted by split folder, class and file name, and the sorted class names.

    The root's folders are splits where every one of them has the name of a split; else they are
    classes, and the samples are assigned by ``split_ratios`` (each class evenly), or left UNDEFINED.

    Raises:
        SightlineError: no images, an image that cannot be read, folders that are neither splits nor
            classes, or ratios for a folder that has splits already.
    """
    if not root.is_dir():
        raise SightlineError(f"{root}: no such folder; give a folder of <split>/<class> or <class> folders.")
    tops = _subfolders(root)
    split_folders = [(split, folder) for folder in tops if (split := split_from_name(folder.name))]
    nested = [folder for _, folder in split_folders if _subfolders(folder)]
    has_splits = bool(nested) and len(split_folders) == len(tops)
    if nested and not has_splits:
        other = next(folder.name for folder in tops if not split_from_name(folder.name))
        raise SightlineError(
            f"{root}: holds the split '{nested[0].name}' beside '{other}'; put splits or classes, not both."
        )
    if has_splits and split_ratios:
        raise SightlineError(f"{root}: has splits of its own ('{nested[0].name}'); leave out the ratios.")
    split_folders = split_folders if has_splits else [(UNDEFINED, root)]
    class_folders = [(split, folder) for split, parent in split_folders for folder in _subfolders(parent)]
    files = [(split, folder.name, path) for split, folder in class_folders for path in _images(folder)]
    if not files:
        raise SightlineError(f"{root}: holds no images in <split>/<class> or <class> folders.")
    splits = [split for split, _, _ in files]
    if split_ratios:
        splits = assign_splits([class_name for _, class_name, _ in files], split_ratios, seed)
    samples = [
        _sample(path, class_name, split, task_name)
        for split, (_, class_name, path) in zip(splits, files, strict=True)
    ]
    return samples, sorted({folder.name for _, folder in class_folders})


def _sample(path: Path, class_name: str, split: str, task_name: str) -> Sample:
    height, width = image_size(path)
    return Sample(
        file_path=str(path),
        height=height,
        width=width,
        split=split,
        classifications=[Classification(class_name=class_name, task_name=task_name)],
    )


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> Iterator[Path]:
    """The images below a class's folder, at any depth, in a fixed order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path
