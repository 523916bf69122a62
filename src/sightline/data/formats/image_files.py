"""The images of an export: under names that people can read, copied or linked."""

import os
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import polars as pl

from sightline.data.folder_listing import find_links
from sightline.data.images import IMAGE_SUFFIXES
from sightline.data.progress import in_parallel
from sightline.data.storage import Storing, check_images_exist, threads_for
from sightline.errors import SightlineError

_BATCH = 64

# What lists with a name per line, and searches for files (which pass over hidden ones), would lose.
_UNFIT = re.compile(r"^[.\s]+|\s+$|[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# Names that are fit, and of which polars says as Python does what is the stem and whether two are the same.
_PLAIN = r"^[0-9A-Za-z_-][0-9A-Za-z_.-]*$"


def unique_names(paths: pl.Series) -> list[str]:
    """A file name for each path: its own as far as possible, and no two of the same stem.

    Files of one name in different folders are told apart by the folder's name in front
    (``left/1.png`` and ``right/1.png`` become ``left_1.png`` and ``right_1.png``), then by a number at
    the end. Stems differ also without regard to case, so that ``<stem>.txt`` or ``<stem>.xml`` can stand
    beside each image on every file system. A path that occurs twice gets two names.
    """
    names = paths.str.extract(r"([^/]*)$")
    stems = names.str.replace(r"\.[^.]*$", "").str.to_lowercase()
    if names.str.contains(_PLAIN).all() and not stems.is_duplicated().any():
        return names.to_list()
    names = [_fit(path.rpartition("/")[2]) for path in paths]
    count = Counter(_key(name) for name in names)
    if len(count) == len(names):
        return names
    for position, (name, path) in enumerate(zip(names, paths, strict=True)):
        if count[_key(name)] > 1:
            folder = path.rpartition("/")[0].rpartition("/")[2]
            names[position] = _fit(f"{folder}_{name}") if folder else name
    count = Counter(_key(name) for name in names)
    taken = {key for key, times in count.items() if times == 1}
    numbers: Counter[str] = Counter()
    for position, name in enumerate(names):
        key = _key(name)
        if count[key] > 1:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122
            while key in taken:
                numbers[_key(name)] += 1
                key = f"{_key(name)}_{numbers[_key(name)]}"
                names[position] = f"{stem}_{numbers[_key(name)]}{suffix}"
            taken.add(key)
    return names


def images_below(folder: Path) -> list[str]:
    """The paths of the images in ``folder`` at any depth, in a fixed order; hidden files are passed over.

    Raises:
        SightlineError: a name that is not UTF-8.
    """
    found = list(_walk(str(folder)))
    refuse_foreign_names(found)
    return found


def is_image(name: str) -> bool:
    """Whether a file of that name is an image that we read."""
    _, dot, ending = name.rpartition(".")
    return dot + ending.lower() in IMAGE_SUFFIXES


def refuse_foreign_names(paths: Sequence[str]) -> None:
    """Raise a `SightlineError` for a path that is not UTF-8, which no column of text can hold."""
    try:
        "".join(paths).encode()
    except UnicodeEncodeError:
        wrong = next(path for path in paths if not path.isprintable() and "\udc80" <= max(path) <= "\udcff")
        raise SightlineError(f"{wrong!a}: the name is not UTF-8; rename the file.") from None


def check_images(samples: pl.DataFrame, target: Path, how: Storing) -> None:
    """Refuse, before anything is written to ``target``, samples whose images cannot go there as files.

    Raises:
        SightlineError: no samples, a sample without an image file, an image that is missing or whose
            name is not that of an image (readers find images by their suffix), or links into what is
            overwritten.
    """
    refuse_empty(samples, target)
    stored = samples["file_path"].is_not_null() & (samples["storage_format"] == "image")
    if not stored.all():
        index = samples["sample_index"].filter(~stored)[0]
        raise SightlineError(
            f"sample {index} is not stored as an image file; extract the frames first, or save its image."
        )
    paths = samples["file_path"]
    endings = paths.str.extract(r"(\.[^./]*)$").str.to_lowercase()
    nameless = paths.filter(~endings.is_in(sorted(IMAGE_SUFFIXES)).fill_null(value=False))
    if len(nameless):
        raise SightlineError(
            f"{nameless[0]}: is not named as an image; readers find images by .jpg, .png ..."
        )
    if how == "symlink" and paths.str.starts_with(f"{target}/").any():
        raise SightlineError(f"{target}: holds the images to be linked to; copy or hardlink them instead.")
    check_images_exist(samples)


def refuse_empty(samples: pl.DataFrame, target: object) -> None:
    """Raise a `SightlineError` where there are no samples: most formats have no way to say that."""
    if not len(samples):
        raise SightlineError(f"{target}: the dataset has no samples; nothing could be read back from there.")


def place_images(
    paths: Sequence[str],
    targets: Sequence[str | Path],
    how: Storing,
    *,
    progress: bool = True,
    label: str = "Writing images",
) -> None:
    """Put the image ``paths[i]`` at ``targets[i]`` for every i; folders are made as needed.

    ``copy`` writes new files, ``symlink`` links to where the images really are (not to other links),
    ``hardlink`` gives the same file another name.

    Raises:
        SightlineError: an image cannot be read, or not be stored in that way there; the sentence names it.
    """
    if how not in ("copy", "symlink", "hardlink"):
        raise SightlineError(f"how='{how}' is not one of copy, symlink, hardlink.")
    for folder in {str(target).rpartition("/")[0] for target in targets}:  # (hashing a Path takes long)
        Path(folder).mkdir(parents=True, exist_ok=True)

    links = set[str]() if how == "copy" else find_links(paths)[1]
    put = {"copy": _copy, "symlink": os.symlink, "hardlink": os.link}[how]

    @cache
    def real_folder(folder: str) -> str:
        return os.path.realpath(folder or "/")

    def place(image: tuple[str, str | Path]) -> None:
        source, target = image
        try:
            if source in links:
                put(os.path.realpath(source), target)
            elif how == "copy":
                put(source, target)
            else:
                folder, _, name = source.rpartition("/")
                put(f"{real_folder(folder)}/{name}", target)
        except OSError as error:
            raise SightlineError(f"{source}: cannot be stored as a {how} ({error.strerror}).") from error

    images = list(zip(paths, targets, strict=True))
    # Threads that make links only wait for each other.
    threads = threads_for(paths) if how == "copy" else 1
    deque(in_parallel(place, images, label, progress=progress, threads=threads, batch=_BATCH), maxlen=0)


def _fit(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    stem, suffix = (stem, dot + ending) if dot else (ending, "")
    return (_UNFIT.sub("_", stem) or "_") + suffix


def _key(name: str) -> str:
    return os.path.splitext(name)[0].casefold()  # noqa: PTH122


def _copy(source: str, target: str | Path) -> None:
    # (shutil.copyfile looks at both files four times first, which takes as long as copying a small one.)
    reading = os.open(source, os.O_RDONLY)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            while os.sendfile(writing, reading, None, 1 << 30):
                pass
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _walk(folder: str) -> Iterator[str]:
    with os.scandir(folder) as found:
        entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda e: e.name)
    # Without following links, what an entry is costs no call for each.
    folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    yield from (
        entry.path for entry in entries if is_image(entry.name) and not entry.is_dir(follow_symlinks=False)
    )
    for subfolder in folders:
        yield from _walk(subfolder)
