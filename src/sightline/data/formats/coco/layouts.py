"""Where COCO files and their images are, in the layouts that are in use."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.data.formats.repairs import Repairs
from sightline.data.splits import TEST, TRAIN, UNDEFINED, VALIDATION, split_from_name
from sightline.errors import SightlineError

Layout = Literal["coco", "roboflow", "fiftyone"]

ROBOFLOW_FILE = "_annotations.coco.json"
FIFTYONE_FILE = "labels.json"

_WRITTEN: dict[str, tuple[str, str]] = {
    "coco": ("annotations/instances_{split}.json", "{split}"),
    "roboflow": (f"{{split}}/{ROBOFLOW_FILE}", "{split}"),
    "fiftyone": (f"{{split}}/{FIFTYONE_FILE}", "{split}/data"),
}
_SPLIT_WORDS: dict[str, dict[str, str]] = {
    "coco": {TRAIN: "train", VALIDATION: "val", TEST: "test", UNDEFINED: "undefined"},
    "roboflow": {TRAIN: "train", VALIDATION: "valid", TEST: "test", UNDEFINED: "undefined"},
    "fiftyone": {TRAIN: "train", VALIDATION: "validation", TEST: "test", UNDEFINED: "undefined"},
}
_KEYS = (b"info", b"licenses", b"images", b"annotations", b"categories", b"type")
_GLANCE = 4096  # bytes
_YEAR = re.compile(r"[-_]?\d+$")


@dataclass(frozen=True)
class AnnotationFile:
    """A COCO file, the split of its images (None: it does not say), and where those may be."""

    path: Path
    split: str | None
    image_folders: list[Path]

    def images_of(self, first_image: str) -> Path:
        """The folder that holds ``first_image``; the first candidate where none does."""
        for folder in self.image_folders:
            if os.path.exists(folder / first_image):  # noqa: PTH110 (false for a name too long)
                return folder
        return self.image_folders[0]


def places_of(layout: Layout, split: str) -> tuple[str, str]:
    """The annotation file and the image folder of a split, relative to the folder that is written."""
    if layout not in _WRITTEN:
        raise SightlineError(f"layout='{layout}' is not one of {', '.join(_WRITTEN)}.")
    file, folder = _WRITTEN[layout]
    word = _SPLIT_WORDS[layout][split]
    return file.format(split=word), folder.format(split=word)


def find_annotation_files(path: Path, images: Path | None, repairs: Repairs) -> list[AnnotationFile]:
    """The COCO files of a folder, or ``path`` itself where it is a file; split by split.

    JSON files of other kinds beside them (key points, captions) are counted in ``repairs``.

    Raises:
        SightlineError: nothing is there, or it is in no layout that is known.
    """
    if not path.exists():
        raise SightlineError(f"{path}: no such file or folder.")
    if path.is_file():
        return [_annotation_file(path, images)]
    found = _instance_files(path, repairs) or _marked_files(path)
    if not found:
        raise SightlineError(
            f"{path}: holds no COCO files (annotations/instances_<split>.json, <split>/{ROBOFLOW_FILE} or "
            f"{FIFTYONE_FILE}); give the path of the JSON file."
        )
    order = (TRAIN, VALIDATION, TEST, UNDEFINED, None)
    files = [_annotation_file(file, images) for file in found]
    return sorted(files, key=lambda file: order.index(file.split))


def is_coco(path: Path) -> bool:
    """Whether ``path`` is a JSON file that begins as COCO does, or a folder whose files are named so."""
    if path.is_file():
        return path.suffix == ".json" and _begins_as_coco(path)
    return any((path / "annotations").glob("instances_*.json")) or bool(_marked_files(path))


def _begins_as_coco(path: Path) -> bool:
    with path.open("rb") as stream:
        beginning = stream.read(_GLANCE)
    first_key = re.match(rb'\s*\{\s*"(\w+)"', beginning.removeprefix(b"\xef\xbb\xbf"))
    return first_key is not None and first_key[1] in _KEYS


def _instance_files(root: Path, repairs: Repairs) -> list[Path]:
    candidates = sorted((root / "annotations").glob("*.json"))
    instances = [file for file in candidates if file.name.startswith("instances_")]
    chosen = instances or [file for file in candidates if _split_of(file.stem)]
    if not chosen and len(candidates) == 1:
        chosen = candidates
    if chosen:
        ignored = [file for file in candidates if file not in chosen]
        example = ignored[0].name if ignored else ""
        repairs.add("JSON files ignored, as they hold no instances", example, len(ignored))
    return chosen


def _marked_files(root: Path) -> list[Path]:
    for name in (ROBOFLOW_FILE, FIFTYONE_FILE):
        found = sorted(root.glob(f"*/{name}")) or [file for file in (root / name,) if file.is_file()]
        if found:
            return found
    return []


def _annotation_file(path: Path, images: Path | None) -> AnnotationFile:
    parent = path.parent
    if path.name in (ROBOFLOW_FILE, FIFTYONE_FILE):
        folders = [parent] if path.name == ROBOFLOW_FILE else [parent / "data", parent / "images", parent]
        return AnnotationFile(path, _split_of(parent.name), folders if images is None else [images])
    # COCO's own: the words of instances_train2017.json are its folder's name, or begin with it.
    word = path.stem.removeprefix("instances_")
    words = list(dict.fromkeys((word, _YEAR.sub("", word))))
    if images is not None:
        return AnnotationFile(path, _split_of(word), [images, *_below(images, words)])
    root = parent.parent if parent.name == "annotations" else parent
    folders = [*_below(root, words), *_below(root / "images", words)]
    return AnnotationFile(path, _split_of(word), [*folders, root / "images", root / "data", root])


def _below(folder: Path, words: Sequence[str]) -> list[Path]:
    return [folder / word for word in words]


def _split_of(word: str) -> str | None:
    return split_from_name(_YEAR.sub("", word.removeprefix("instances_")))
