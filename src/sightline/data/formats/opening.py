"""Read and write by a format's name, or by what a path looks like."""

import difflib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.data.formats import FORMATS
from sightline.data.formats.registry import Format, recognised
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def read_format(
    cls: "type[Dataset]", path: str | Path, format: str | None = None, **options: Any
) -> "Dataset":
    """Read a file or folder in any of the formats of `sightline.data.formats.FORMATS`.

    Without ``format`` it is recognised by the names of the files that are there. ``options`` are those
    of the format's own reader (``Dataset.from_<format>``).

    Raises:
        SightlineError: nothing is there, it looks like no format or like several, an option that the
            format does not have, or as the format's reader says.
    """
    remote = "://" in str(path)
    if format is None:
        entry = FORMATS["sightline"] if remote else recognised(Path(path), FORMATS)
    else:
        entry = _named(format)
    return _reader(entry, options)(cls, path, **options)


def write_format(dataset: "Dataset", path: str | Path, format: str, **options: Any) -> None:
    """Write in one of the formats of `sightline.data.formats.FORMATS`.

    ``options`` are those of the format's own writer (``dataset.to_<format>``).

    Raises:
        SightlineError: no such format, an option that it does not have, or as its writer says.
    """
    entry = _named(format)
    if entry.write is None:
        writable = ", ".join(sorted(name for name, other in FORMATS.items() if other.write))
        raise SightlineError(f"format '{entry.name}' can be read, but not written; there are: {writable}.")
    _check_options(entry.name, entry.write, options)
    entry.write(dataset, path, **options)


def check_readable(format: str, options: dict[str, Any]) -> None:
    """Raise a `SightlineError` for a format, or an option, that `read_format` does not take."""
    _reader(_named(format), options)


def options_of(function: Any) -> list[str]:
    """The names of the options of a format's reader or writer."""
    return [name for name in list(inspect.signature(function).parameters)[2:] if name != "progress"]


def _reader(entry: Format, options: dict[str, Any]) -> Callable[..., Any]:
    if entry.read is None:
        readable = ", ".join(sorted(name for name, other in FORMATS.items() if other.read))
        raise SightlineError(f"format '{entry.name}' can be written, but not read; there are: {readable}.")
    _check_options(entry.name, entry.read, options)
    return entry.read


def _named(name: str) -> Format:
    if name in FORMATS:
        return FORMATS[name]
    near = difflib.get_close_matches(name, FORMATS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(sorted(FORMATS))}."
    raise SightlineError(f"there is no format '{name}'; {hint}")


def _check_options(name: str, function: Any, options: dict[str, Any]) -> None:
    known = options_of(function)
    for option in options:
        if option not in known and option != "progress":
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it takes {', '.join(known) or 'none'}."
            raise SightlineError(f"format '{name}' has no option '{option}'; {hint}")
