"""What a format is: how it is read, written and recognised."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError


@dataclass(frozen=True)
class Format:
    """One format of other programs.

    ``read(cls, path, **options)`` makes a `Dataset` and ``write(dataset, path, **options)`` writes one;
    None where there is no such direction. ``recognises(path)`` looks at names only, and says whether a
    file or folder is of this format. A ``generic`` format, which many folders fit by chance, is taken
    only where no other one fits.
    """

    name: str
    title: str
    read: Callable[..., Any] | None
    write: Callable[..., Any] | None
    recognises: Callable[[Path], bool]
    generic: bool = False


def recognised(path: Path, formats: dict[str, Format]) -> Format:
    """The one format that ``path`` is in.

    Raises:
        SightlineError: nothing is there, or it looks like no format, or like several.
    """
    if not path.exists():
        raise SightlineError(f"{path}: no such file or folder.")
    found = [entry for entry in formats.values() if entry.read is not None and entry.recognises(path)]
    found = [entry for entry in found if not entry.generic] or found
    if len(found) == 1:
        return found[0]
    names = ", ".join(entry.name for entry in found or formats.values() if entry.read is not None)
    if not found:
        raise SightlineError(f"{path}: looks like no format that can be read; say which one it is: {names}.")
    raise SightlineError(f"{path}: could be any of {names}; say which one it is.")
