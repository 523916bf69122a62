"""Where the annotation files and images of Pascal VOC are, and which split they are in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.data.formats.image_files import images_below
from sightline.data.formats.repairs import Repairs
from sightline.data.splits import TEST, TRAIN, VALIDATION, split_from_name
from sightline.errors import SightlineError

ANNOTATIONS = "Annotations"
IMAGES = "JPEGImages"
SETS = "ImageSets/Main"

LISTS = {TRAIN: "train", VALIDATION: "val", TEST: "test"}
"""The name of the list of each split, in the order in which an image that is in several is looked for."""


@dataclass(frozen=True)
class Place:
    """A folder of annotation files, that of their images, and the split of all of them, if it says one."""

    annotations: Path
    images: Path
    split: str | None = None


def find_places(root: Path) -> list[Place]:
    """``Annotations`` and ``JPEGImages``; or, as Roboflow writes it, both side by side in split folders.

    Raises:
        SightlineError: neither is there.
    """
    if not root.is_dir():
        raise SightlineError(f"{root}: no such folder; give the folder that {ANNOTATIONS} is in.")
    if (root / ANNOTATIONS).is_dir():
        images = [root / name for name in (IMAGES, "images") if (root / name).is_dir()]
        if not images:
            raise SightlineError(f"{root}: has {ANNOTATIONS} but no {IMAGES}; put the images there.")
        return [Place(root / ANNOTATIONS, images[0])]
    found = list(_side_by_side(root))
    if not found:
        raise SightlineError(f"{root}: holds no {ANNOTATIONS}; give the folder that {ANNOTATIONS} is in.")
    return found


def _side_by_side(root: Path) -> Iterator[Place]:
    for folder in [root, *sorted(path for path in root.iterdir() if path.is_dir())]:
        split = split_from_name(folder.name) if folder != root else None
        if (split or folder == root) and any(folder.glob("*.xml")):
            yield Place(folder, folder, split)


def is_voc(path: Path) -> bool:
    """Whether ``path`` is a VOC folder, by its names alone."""
    return (path / ANNOTATIONS).is_dir() and (
        (path / IMAGES).is_dir() or any((path / ANNOTATIONS).glob("*.xml"))
    )


def find_images(folder: Path) -> dict[str, list[str]]:
    """The images below ``folder`` by their names without suffix."""
    found: dict[str, list[str]] = {}
    for path in images_below(folder):
        found.setdefault(path.rpartition("/")[2].rpartition(".")[0], []).append(path)
    return found


def split_of_ids(root: Path, repairs: Repairs) -> dict[str, str]:
    """The split of each image that ``ImageSets/Main`` lists, by its id (the name without suffix).

    ``trainval.txt`` counts only for images that neither of ``train.txt`` and ``val.txt`` lists: they are
    for training.
    """
    result: dict[str, str] = {}
    for split, word in [*LISTS.items(), (TRAIN, "trainval")]:
        file = root / SETS / f"{word}.txt"
        for name in _lines(file) if file.is_file() else []:
            if result.setdefault(name, split) != split and word != "trainval":
                repairs.add("images listed in several splits put into the first", f"{name} in {file}")
    return result


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise SightlineError(f"{file}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
    return [line.strip() for line in lines if line.strip()]
