"""Read and write by a format's name, or by what a path looks like."""

import difflib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from sightline.data.arguments import argument_problem, arguments_model
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
    return _reader(entry)(cls, path, **_checked(entry.name, _reader(entry), options))


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
    entry.write(dataset, path, **_checked(entry.name, entry.write, options))


def check_readable(format: str, options: dict[str, Any]) -> None:
    """Raise a `SightlineError` for a format, or an option, that `read_format` does not take."""
    entry = _named(format)
    _checked(entry.name, _reader(entry), options)


def options_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The options of a format's reader or writer: the type of each, by name."""
    return {name: field.annotation for name, field in _options(function).model_fields.items()}


def _reader(entry: Format) -> Callable[..., Any]:
    if entry.read is None:
        readable = ", ".join(sorted(name for name, other in FORMATS.items() if other.read))
        raise SightlineError(f"format '{entry.name}' can be written, but not read; there are: {readable}.")
    return entry.read


def _named(name: str) -> Format:
    if name in FORMATS:
        return FORMATS[name]
    near = difflib.get_close_matches(name, FORMATS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(sorted(FORMATS))}."
    raise SightlineError(f"there is no format '{name}'; {hint}")


@cache
def _options(function: Callable[..., Any]) -> type[BaseModel]:
    taken = list(inspect.signature(function).parameters.values())[2:]
    return arguments_model(function, [option for option in taken if option.name != "progress"])


def _checked(format: str, function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options as ``function`` takes them; all but ``progress`` may come from a file or a command line."""
    written = {name: value for name, value in options.items() if name != "progress"}
    try:
        values = _options(function).model_validate(written)
    except ValidationError as error:
        problem = argument_problem(f"format '{format}'", "option", _options(function), error, written)
        raise SightlineError(problem) from None
    return options | {name: getattr(values, name) for name in written}
