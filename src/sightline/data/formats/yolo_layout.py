"""Where the images of a YOLO dataset are, which split they are in, and what its classes are called.

Two layouts are read:

* Ultralytics: a YAML file with ``names`` and, for each split, a folder, a list of folders, or a text file
  that lists images (https://docs.ultralytics.com/datasets/detect/#ultralytics-yolo-format).
* Darknet: a file of class names (``obj.names`` or ``classes.txt``), and for each split a text file that
  lists images (``train.txt``, ``train/images.txt``) or a folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sightline.data.formats.image_files import images_below, is_image, refuse_foreign_names
from sightline.data.formats.repairs import Repairs
from sightline.data.splits import SPLITS, UNDEFINED, split_from_name
from sightline.errors import SightlineError

YAML_FILE = "data.yaml"

_YAML_SUFFIXES = (".yaml", ".yml")
_MOST_CLASSES = 100_000  # more is a number that went wrong, and would fill the memory with names
_SUBFOLDERS = ("", "data", "images")


@dataclass(frozen=True)
class Layout:
    """Where a YOLO dataset is.

    ``sources`` are folders of images and files that list images, each with its split. ``key_points`` says
    that the numbers after a box are the key points of a pose, not an outline.
    """

    root: Path
    class_names: list[str]
    sources: list[tuple[str, Path]]
    key_points: bool = False

    def images(self, repairs: Repairs) -> list[tuple[str, str]]:
        """Split and absolute path of each image, in the order of folders and lists, which is that of splits.

        An image is in the first split that has it.
        """
        split_of: dict[str, str] = {}
        for split, source in self.sources:
            for path in self._images_of(source):
                if path not in split_of:
                    split_of[path] = split
                elif split_of[path] == split:
                    repairs.add("images listed twice read once", path)
                else:
                    repairs.add("images listed in several splits put into the first", f"{path} in {split}")
        return [(split, path) for path, split in split_of.items()]

    def _images_of(self, source: Path) -> list[str]:
        return images_below(source) if source.is_dir() else _listed(source, self.root)


def find_layout(path: Path, split: str, repairs: Repairs) -> Layout:
    """The layout of a folder, or of a YAML file.

    Args:
        path: absolute.
        split: of images for which the layout names none.
        repairs: counts class names that had to be made.

    Raises:
        SightlineError: neither layout, or a file or folder that it names is not there.
    """
    if not path.exists():
        raise SightlineError(f"{path}: no such file or folder; give a YOLO folder or its {YAML_FILE}.")
    if path.is_file():
        return _ultralytics(path, repairs)
    if config := yaml_of(path):
        return _ultralytics(config, repairs)
    if names := _names_file(path):
        return _darknet(path, names, split, repairs)
    raise SightlineError(
        f"{path}: holds no {YAML_FILE} (nor obj.names or classes.txt); give the path of its YAML file."
    )


def yaml_of(folder: Path) -> Path | None:
    """The YAML file that describes ``folder``: ``data.yaml``, ``dataset.yaml``, or the only one."""
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in _YAML_SUFFIXES)
    named = [file for file in found if file.stem.lower() in ("data", "dataset")]
    return named[0] if named else found[0] if len(found) == 1 else None


def is_yolo(path: Path) -> bool:
    """Whether ``path`` is a YOLO folder or its YAML file, by its names alone."""
    if path.is_file():
        return path.name.lower() in (YAML_FILE, "dataset.yaml")
    if not path.is_dir():
        return False
    config, names = yaml_of(path), _names_file(path)
    if config is not None and config.stem.lower() == "data":
        return True
    has_labels = any((path / place / "labels").is_dir() for place in ("", "train", "valid", "val", "test"))
    return (config is not None and has_labels) or (names is not None and names.suffix == ".names")


def _ultralytics(file: Path, repairs: Repairs) -> Layout:
    config = _read_yaml(file)
    root = file.parent
    if isinstance(named := config.get("path"), str) and named and (root / named).is_dir():
        root = root / named
    sources = [
        (split, _source(file, root, key, entry))
        for key, value in config.items()
        if (split := split_from_name(key)) and value
        for entry in (value if isinstance(value, list) else [value])
    ]
    if not sources:
        raise SightlineError(f"{file}: names no images; add train: and val: with folders or lists of images.")
    sources.sort(key=lambda source: SPLITS.index(source[0]))
    return Layout(root, _class_names(file, config, repairs), sources, key_points="kpt_shape" in config)


def _read_yaml(file: Path) -> dict[str, Any]:
    # The base loader leaves every word a word: a class may be called "no", "1.0" or "null".
    try:
        config = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)  # noqa: S506
    except UnicodeDecodeError as error:
        raise SightlineError(f"{file}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise SightlineError(f"{file}: not valid YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(config, dict):
        raise SightlineError(f"{file}: holds no keys; it needs names: and train: at least.")
    return {str(key): value for key, value in config.items()}


def _source(file: Path, root: Path, key: str, entry: Any) -> Path:
    """The folder or list that an entry of the YAML file names."""
    if isinstance(entry, str):
        # Roboflow writes "../train/images" for the "train/images" beside the file.
        candidates = [root / entry, file.parent / entry, root / entry.removeprefix("../")]
        for candidate in candidates:
            if candidate.exists():
                return candidate.resolve() if ".." in candidate.parts else candidate
    raise SightlineError(f"{file}: {key}: names '{entry}', which is not there; correct path: or {key}:.")


def _class_names(file: Path, config: dict[str, Any], repairs: Repairs) -> list[str]:
    names, count = config.get("names"), config.get("nc")
    try:
        total = int(count) if count is not None else None
        if isinstance(names, dict):
            numbered = {int(number): name for number, name in names.items()}
        elif isinstance(names, list) or (names is None and total is not None):
            numbered = dict(enumerate(names or []))
        else:
            raise SightlineError(f"{file}: names: is missing; list the names of the classes there.")
    except (TypeError, ValueError):
        raise SightlineError(f"{file}: names: and nc: must number classes from 0.") from None
    last = max(numbered, default=-1)
    if min(numbered, default=0) < 0 or max(last, total or 0) > _MOST_CLASSES:
        raise SightlineError(f"{file}: names: and nc: must number at most {_MOST_CLASSES} classes from 0.")
    if names is not None and total is not None and total != last + 1:
        repairs.add("counts of classes (nc) that names: contradicts passed over", f"{total} in {file}")
    if not all(isinstance(name, str) for name in numbered.values()):
        raise SightlineError(f"{file}: names: holds something that is no name; give one name per class.")
    length = last + 1 if names is not None else (total or 0)
    return _distinct([numbered.get(number, f"class_{number}") for number in range(length)], file, repairs)


def _distinct(names: list[str], file: Path, repairs: Repairs) -> list[str]:
    """The names with a number behind those that an earlier class has already."""
    result: list[str] = []
    taken: set[str] = set()
    for name in names:
        number, candidate = 2, name
        while candidate in taken or (number > 2 and candidate in names):
            candidate, number = f"{name}_{number}", number + 1
        if candidate != name:
            repairs.add("classes of the same name told apart", f"'{name}' as '{candidate}' in {file}")
        taken.add(candidate)
        result.append(candidate)
    return result


def _names_file(folder: Path) -> Path | None:
    for subfolder in _SUBFOLDERS:
        place = folder / subfolder
        found = sorted(place.glob("*.names")) or [f for f in (place / "classes.txt",) if f.is_file()]
        if found:
            return found[0]
    return None


def _darknet(root: Path, names: Path, split: str, repairs: Repairs) -> Layout:
    class_names = [line.strip() for line in _lines(names)]
    while class_names and not class_names[-1]:
        class_names.pop()
    if not class_names or not all(class_names):
        raise SightlineError(f"{names}: has lines without a name; give one class per line.")
    sources = sorted(_darknet_sources(root), key=lambda source: SPLITS.index(source[0]))
    return Layout(root, _distinct(class_names, names, repairs), sources or [(split, root)])


def _darknet_sources(root: Path) -> Iterator[tuple[str, Path]]:
    lists = [
        file
        for subfolder in ("", "data")
        for file in sorted((root / subfolder).glob("*.txt"))
        if split_from_name(file.stem)
    ]
    if lists:
        yield from ((split_from_name(file.stem) or UNDEFINED, file) for file in lists)
        return
    for subfolder in ("", "images"):
        folders = sorted(f for f in (root / subfolder).glob("*") if f.is_dir() and split_from_name(f.name))
        for folder in folders:
            listing = folder / "images.txt"
            yield split_from_name(folder.name) or UNDEFINED, listing if listing.is_file() else folder
        if folders:
            return


def _listed(file: Path, root: Path) -> list[str]:
    """The images that a text file lists, one per line, relative to the file, to ``root``, or absolute."""
    names = [line.strip().removeprefix("./") for line in _lines(file)]
    names = [name for name in names if name]
    if not names:
        raise SightlineError(f"{file}: lists no images; give one path per line.")
    wrong = next((name for name in names if not is_image(name)), None)
    if wrong is not None:
        raise SightlineError(f"{file}: lists '{wrong}', which is not named as an image.")
    # Darknet's own lists start at the folder that it is run in, so the first part may be the root's name.
    bases = [file.parent, root, root.parent]
    base = next((base for base in bases if (base / names[0]).exists()), file.parent)
    paths = [name if name.startswith("/") else f"{base}/{name}" for name in names]
    refuse_foreign_names(paths)
    return paths


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SightlineError(f"{file}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
    return text.split("\n")
