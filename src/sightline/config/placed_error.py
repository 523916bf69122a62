"""What is wrong with a value: found deep inside, told at the top, in one sentence."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sightline.config.source import Key, Origin, Path
from sightline.config.tree import children, model_in, type_at
from sightline.config.wording import shown, type_name
from sightline.errors import SightlineError


class PlacedError(ValueError):
    """A value that cannot be, with its path from where the validation began.

    Args:
        message: what is wrong and what to do.
        path: of the value.
        key: the path ends with a key that is itself the trouble; the message names it.
    """

    def __init__(self, message: str, path: Sequence[Key] = (), *, key: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.path: Path = tuple(path)
        self.key = key

    def below(self, prefix: Sequence[Key]) -> "PlacedError":
        """The same, seen from further up."""
        return PlacedError(self.message, (*prefix, *self.path), key=self.key)

    def error(self, origin: Origin, where: str = "") -> SightlineError:
        """The sentence for the user, about something in the object of that origin."""
        place = origin.describe(self.path, where, key=self.key)
        return SightlineError(f"{place}: {self.message}" if place else self.message)


def first_error(error: ValidationError, annotation: Any, value: Any) -> PlacedError:
    """The first of pydantic's findings in the words of this package.

    Every member of a union that was tried has its say in ``error``; the one that came furthest into the
    value is the one that was meant.

    Args:
        annotation: the type that ``value`` was held against.
    """
    found = [_problem(details, annotation, value) for details in error.errors(include_url=False)]
    start = found[0].path
    related = [problem for problem in found if problem.path[: len(start)] == start]
    return max(related, key=lambda problem: (len(problem.path), problem.key))


def _problem(details: ErrorDetails, annotation: Any, value: Any) -> PlacedError:
    *start, last = details["loc"] or ("",)
    if details["type"] == "missing" and isinstance(last, str):
        path = _path_in(value, annotation, start)
        expected = type_name(type_at(annotation, (*path, last)))
        return PlacedError(f"the key '{last}' is missing; add it ({expected}).", (*path, last), key=True)
    path = _path_in(value, annotation, details["loc"])
    raised = details.get("ctx", {}).get("error")
    if isinstance(raised, PlacedError):
        return raised.below(path)
    if raised is not None:
        return PlacedError(_sentence(str(raised)), path)
    expected = type_at(annotation, path)
    if expected is None:
        return PlacedError(_sentence(f"{details['msg']}, found {shown(details['input'])}"), path)
    return mismatch(expected, details["input"], path)


def mismatch(annotation: Any, value: Any, path: Sequence[Key] = ()) -> PlacedError:
    """``expected number, found 'abc'``, with a hint where the slip is a common one."""
    expected = type_name(annotation)
    return PlacedError(f"expected {expected}, found {shown(value)}{_hint(expected, value)}.", path)


def _hint(expected: str, value: Any) -> str:
    if value is None:
        return "; give a value or remove the key"
    if expected.startswith("list") and isinstance(value, dict):
        return "; begin each item with '- '"
    if "text" in expected and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if "whole number" in expected and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}"
    if "number" in expected and isinstance(value, str):
        plain = value.replace("_", "")
        return f"; write {plain} without quotes" if plain.lstrip("+-").replace(".", "", 1).isdigit() else ""
    if "component" in expected and isinstance(value, str):
        return f"; write {{class_path: {value or '...'}}}"
    return ""


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _path_in(value: Any, annotation: Any, location: Sequence[Key]) -> Path:
    """``location`` without the names of union members and the like that pydantic mixes into it."""
    path: list[Key] = []
    for step in location:
        inside = dict(children(value))
        model = model_in(type_at(annotation, path))
        if step in inside or (model is not None and step in model.model_fields):  # the latter in a default
            value = inside.get(step)
            path.append(step)
    return tuple(path)
