"""What somebody names to predict with: images, folders, a dataset, videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.data.dataset import Dataset
from sightline.data.images import IMAGE_SUFFIXES
from sightline.data.remote.urls import remote_url
from sightline.data.video import VIDEO_SUFFIXES, is_video
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
        return is_video(Path(self.path))


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
    found: list[tuple[Path, Path]] = []
    for word in words:
        found += _of_word(Path(word))
    unique = dict.fromkeys(found)
    names = _Names()
    return Sources([Source(str(path), names.unique(path.relative_to(root))) for path, root in unique])


def _is_dataset(word: str | Path) -> bool:
    return remote_url(word) is not None or (Path(word) / INFO_FILE).is_file()


def _of_word(path: Path) -> list[tuple[Path, Path]]:
    """The files that a word names, each with the folder that its name is relative to."""
    if path.is_file():
        if not _is_readable(path):
            raise SightlineError(f"{path}: is neither an image nor a video, by its ending; leave it out.")
        return [(path, path.parent)]
    if not path.exists():
        raise SightlineError(f"{path}: there is no such file or folder.")
    inside = sorted(one for one in path.rglob("*") if _is_readable(one) and one.is_file())
    visible = [one for one in inside if not any(part[0] == "." for part in one.relative_to(path).parts)]
    if not visible:
        raise SightlineError(f"{path}: holds no images or videos.")
    return [(one, path) for one in visible]


def _is_readable(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES


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
            Source(path, names.unique(Path(Path(path).name)), sizes[path], tuple(sorted(numbers)) or None)
            for path, numbers in frames.items()
        ],
        dataset,
    )


class _Names:
    """Names without endings, told apart by a number where two are the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, path: Path) -> str:
        """The name for a file."""
        wanted = path.with_suffix("").as_posix()
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}-{number}", number + 1
        self._taken.add(name)
        return name
