"""What somebody names to predict with: images, folders, a dataset, videos."""

# Text, not `pathlib`, which takes five times as long for each of what may be a million files.
# ruff: noqa: PTH113, PTH118, PTH119, PTH122, PTH206

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.data.dataset import Dataset
from sightline.data.images import IMAGE_SUFFIXES
from sightline.data.remote.urls import remote_url
from sightline.data.video import is_video
from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError


@dataclass(frozen=True)
class Source:
    """One file.

    Args:
        path: of it, as it was named.
        name: what the drawn picture or video of it is called, without its ending; no other has the same.
        size: height and width that a dataset says it has.
        frames: the frames of a video that are wanted; None for all.
    """

    path: str
    name: str
    size: tuple[int, int] | None = None
    frames: tuple[int, ...] | None = None

    @property
    def is_video(self) -> bool:
        """Whether it has frames."""
        return is_video(self.path)


@dataclass(frozen=True)
class Sources:
    """All files, in the order in which they are worked on; of a dataset, where they are from one."""

    files: list[Source]
    dataset: Dataset | None = None

    def __len__(self) -> int:
        return len(self.files)


def find_sources(words: Sequence[str | Path], split: str | None = None) -> Sources:
    """The files that ``words`` name: images, videos, folders (searched whole, hidden files left out), or the
    folder or URL of one dataset, of which those of ``split``.

    Raises:
        SightlineError: there is no such file, one is neither image nor video, a folder holds none, or a
            dataset is not alone, or has no such split.
    """
    datasets = [word for word in words if _is_dataset(word)]
    if datasets:
        if len(words) > 1:
            raise SightlineError(f"{datasets[0]}: is a dataset, which stands alone; leave out the others.")
        dataset = Dataset.from_path(datasets[0], check_images=False)
        return _of_dataset(dataset if split is None else dataset.create_split_dataset(split))
    if split is not None:
        raise SightlineError(f"split '{split}': is of a dataset, and there is none; leave it out.")
    unique = dict.fromkeys(found for word in words for found in _of_word(Path(word)))
    names = _Names()
    return Sources([Source(path, names.unique(relative)) for path, relative in unique])


def _is_dataset(word: str | Path) -> bool:
    return remote_url(word) is not None or (Path(word) / INFO_FILE).is_file()


def _of_word(path: Path) -> list[tuple[str, str]]:
    """The files that a word names, each with its path within the folder that was named, or its name."""
    if path.is_file():
        if not _is_readable(path.name):
            raise SightlineError(f"{path}: is neither an image nor a video, by its ending; leave it out.")
        return [(str(path), path.name)]
    if not path.exists():
        raise SightlineError(f"{path}: there is no such file or folder.")
    inside: list[str] = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name[0] != "."]
        readable = (name for name in files if name[0] != "." and _is_readable(name))
        inside += [file for name in readable if os.path.isfile(file := os.path.join(folder, name))]
    if not inside:
        raise SightlineError(f"{path}: holds no images or videos.")
    start = len(os.path.join(path, ""))
    relative = sorted((file[start:] for file in inside), key=lambda name: name.split(os.sep))
    before = "" if path == Path() else os.path.join(path, "")
    return [(before + name, name) for name in relative]


def _is_readable(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES or is_video(name)


def _of_dataset(dataset: Dataset) -> Sources:
    """A source for each image, and one for each video with those of its frames that are samples."""
    columns = ("file_path", "height", "width", "storage_format", "collection_index")
    frames: dict[str, list[int]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for path, height, width, storage, index in dataset.samples.select(columns).iter_rows():
        if path is None:
            raise SightlineError("a sample of the dataset has no file_path; predict with those that have.")
        sizes[path] = (height, width)
        frames.setdefault(path, [])
        if storage == "video":
            frames[path].append(index)
    names = _Names()
    return Sources(
        [
            Source(path, names.unique(os.path.basename(path)), sizes[path], tuple(sorted(numbers)) or None)
            for path, numbers in frames.items()
        ],
        dataset,
    )


class _Names:
    """Names without endings, told apart by a number where two are the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, path: str) -> str:
        """The name for a file."""
        wanted = os.path.splitext(path)[0].replace(os.sep, "/")
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}-{number}", number + 1
        self._taken.add(name)
        return name
