"""``name=value`` as people write it on a command line, as the values that they mean."""

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from sightline.errors import SightlineError

_NAMED = re.compile(r"([A-Za-z_]\w*)(?:\.([^=]+))?=(.*)", re.DOTALL)


def named_values(words: Sequence[str]) -> dict[str, Any]:
    """``["seed=1", "task=cars"]`` as ``{"seed": 1, "task": "cars"}``: JSON where it is JSON, else text.

    ``a.b=1`` is an entry of an object: ``ratios.train=0.8 ratios.test=0.2``. What is behind the first dot
    is one name: ``mapping.Vehicle.Van=van``.

    Raises:
        SightlineError: a word without ``=``, or a name given twice.
    """
    values: dict[str, Any] = {}
    for word in words:
        match = _NAMED.fullmatch(word)
        if match is None:
            raise SightlineError(f"'{word}' is not of the form NAME=VALUE.")
        name, entry, text = match.groups()
        if entry is None:
            inside, key = values, name
        else:
            inside, key = values.setdefault(name, {}), entry
        if not isinstance(inside, dict) or key in inside:
            raise SightlineError(f"'{word.partition('=')[0]}' is given twice; give it once.")
        inside[key] = _value(text)
    return values


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
    from sightline.data.recipes.steps import list_arguments, parameters

    if operation not in OPERATIONS:
        return {operation: {}}  # refused with its place where the step is made
    named = named_values([word for word in words if _NAMED.fullmatch(word)])
    unnamed = [word for word in words if not _NAMED.fullmatch(word)]
    free = [parameter.name for parameter in parameters(operation) if parameter.name not in named]
    if len(unnamed) > len(free):
        raise SightlineError(f"step '{text}': '{unnamed[len(free)]}' is one value too many.")
    named |= {name: _value(word) for name, word in zip(free, unnamed, strict=False)}
    for name in list_arguments(operation) & set(named):
        named[name] = _as_list(named[name])
    return {operation: named}


def _as_list(value: Any) -> Any:
    if isinstance(value, str):
        return [_value(part.strip(" '\"")) for part in value.strip("[] ").split(",")]
    return value if isinstance(value, list | dict) or value is None else [value]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
