"""The image files that a table names."""

import os
from pathlib import Path

import polars as pl

from sightline.data.images import IMAGE_SUFFIXES
from sightline.errors import SightlineError


def found_images(source: Path, names: pl.Series, folder: Path) -> list[str]:
    """The absolute path of each image named in the table ``source``.

    Names are relative to ``folder``. One that is not there may stand for the one image below ``folder``
    of that name, with or without a suffix.

    Raises:
        SightlineError: images that are not there, or several that a name may stand for; the sentence
            counts them and names the first.
    """
    if not folder.is_dir():
        raise SightlineError(f"{folder}: no such folder; give the folder of the images as images=.")
    paths = [os.path.normpath(folder / name) for name in names]
    missing = [position for position, path in enumerate(paths) if not os.path.isfile(path)]  # noqa: PTH113
    if not missing:
        return paths
    by_name = _images_by_name(folder)
    lost: list[str] = []
    for position in missing:
        name = names[position].replace("\\", "/").rpartition("/")[2]
        candidates = by_name.get(name, [])
        if len(candidates) > 1:
            raise SightlineError(
                f"{source}: '{names[position]}' may be {candidates[0]} or {candidates[1]}; give the folder "
                "that has only one of them as images=."
            )
        if candidates:
            paths[position] = candidates[0]
        else:
            lost.append(names[position])
    if lost:
        raise SightlineError(
            f"{source}: {len(lost)} of {len(paths)} images are not in {folder}, the first is '{lost[0]}'; "
            "give their folder as images=."
        )
    return paths


def _images_by_name(folder: Path) -> dict[str, list[str]]:
    """All images below ``folder``, by file name and by file name without suffix."""
    found: dict[str, list[str]] = {}
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122
            if suffix.lower() in IMAGE_SUFFIXES:
                for key in (name, stem):
                    found.setdefault(key, []).append(f"{parent}/{name}")
    return found
