"""``name=value`` as people write it on a command line, as the values that they mean."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sightline.errors import SightlineError

_NAMED = re.compile(r"([A-Za-z_]\w*)(?:\.([^=]+))?=(.*)", re.DOTALL)


def named_values(words: Sequence[str], hints: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``["seed=1", "task=cars"]`` as ``{"seed": 1, "task": "cars"}``: JSON where it is JSON, else text.

    ``a.b=1`` is an entry of an object: ``ratios.train=0.8 ratios.test=0.2``. What is behind the first dot
    is one name: ``mapping.Vehicle.Van=van``.

    Args:
        hints: the types of values, by name. Where one wants text, JSON is text too: a class may be called
            ``1``, a version is ``1.10``. Where one may be a list, ``a,b`` is one.

    Raises:
        SightlineError: a word without ``=``, or a name given twice.
    """
    texts: dict[str, Any] = {}
    for word in words:
        match = _NAMED.fullmatch(word)
        if match is None:
            raise SightlineError(f"'{word}' is not of the form NAME=VALUE.")
        name, entry, text = match.groups()
        if entry is None:
            inside, key = texts, name
        else:
            inside, key = texts.setdefault(name, {}), entry
        if not isinstance(inside, dict) or key in inside:
            raise SightlineError(f"'{word.partition('=')[0]}' is given twice; give it once.")
        inside[key] = text
    hints = hints or {}
    return {name: _meant(written, hints.get(name, Any)) for name, written in texts.items()}


def step_words(text: str) -> dict[str, Any]:
    """A step of a recipe: ``sample n=20 seed=1``, or its JSON ``{"sample": {"n": 20, "seed": 1}}``.

    A word that names no argument is the value of the operation's next one (``filter "width > 640"``), and
    where a list is wanted ``a,b`` is one.

    Raises:
        SightlineError: quotes or JSON that do not end, or too many values.
    """
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise SightlineError(
                f"step '{text}': not valid JSON at column {error.colno} ({error.msg})."
            ) from None
    try:
        operation, *words = shlex.split(text) or [""]
    except ValueError as error:
        raise SightlineError(f"step '{text}': {str(error).lower()}; close the quotes.") from None
    if not operation:
        raise SightlineError("a step is empty; name an operation, as in 'sample n=20'.")
    from sightline.data.operations import OPERATIONS
    from sightline.data.recipes.steps import argument_types

    if operation not in OPERATIONS:
        return {operation: {}}  # refused with its place where the step is made
    hints = argument_types(operation)
    named = named_values([word for word in words if _NAMED.fullmatch(word)], hints)
    unnamed = [word for word in words if not _NAMED.fullmatch(word)]
    free = [name for name in hints if name not in named]
    if len(unnamed) > len(free):
        raise SightlineError(f"step '{text}': '{unnamed[len(free)]}' is one value too many.")
    named |= {name: _meant(word, hints[name]) for name, word in zip(free, unnamed, strict=False)}
    return {operation: named}


def _meant(written: str | dict[str, str], hint: Any) -> Any:
    """The first reading of ``written`` that fits the type ``hint``; where none does, the most likely one."""
    from sightline.data.arguments import fits, may_be_list

    readings = [_each(written, _value), written]
    if isinstance(written, str) and may_be_list(hint):
        parts = [part.strip(" '\"") for part in written.strip("[] ").split(",")]
        lists = [[_value(part) for part in parts], parts]
        alone = len(parts) == 1 or not isinstance(readings[0], str)
        readings = [*readings, *lists] if alone else [*lists, *readings]
    return next((reading for reading in readings if fits(reading, hint)), readings[0])


def _each(written: str | dict[str, str], read: Callable[[str], Any]) -> Any:
    return {key: read(text) for key, text in written.items()} if isinstance(written, dict) else read(written)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
