"""Arguments that people write down as data, held against the signature of the function they are for."""

import difflib
import inspect
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from sightline.config.placed_error import first_error


def arguments_model(
    function: Callable[..., Any],
    parameters: Sequence[inspect.Parameter],
    of_hint: Callable[[Any], Any] = lambda hint: hint,
) -> type[BaseModel]:
    """A model of some ``parameters`` of ``function``, which has their types and defaults.

    Args:
        of_hint: makes of a parameter's type the one that it has in writing.
    """
    from sightline.data.dataset import Dataset

    # (Of the parameters only: a return type may be of a library that is not there.)
    annotated = SimpleNamespace(__annotations__={each.name: each.annotation for each in parameters})
    names = {**inspect.unwrap(function).__globals__, "Dataset": Dataset}
    hints = get_type_hints(annotated, names, include_extras=True)
    fields: dict[str, Any] = {
        each.name: (of_hint(hints[each.name]), ... if each.default is each.empty else each.default)
        for each in parameters
    }
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return create_model(f"{function.__name__} arguments", __config__=config, **fields)


def argument_problem(
    owner: str, noun: str, model: type[BaseModel], error: ValidationError, arguments: dict[str, Any]
) -> str:
    """What is wrong with ``arguments``, in a sentence that calls each a ``noun`` of ``owner``."""
    first = error.errors()[0]
    names = list(model.model_fields)
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it takes {', '.join(names) or 'none'}."
        return f"{owner} has no {noun} '{name}'; {hint}"
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return f"{owner} needs the {noun} '{name}'."
    found = first_error(error, model, arguments)
    path = ".".join(map(str, found.path[:-1] if found.key else found.path))
    return f"{noun} '{path}' of {owner}: {found.message}"


def fits(value: Any, hint: Any) -> bool:
    """Whether an argument of the type ``hint`` may be ``value``."""
    try:
        TypeAdapter[Any](hint).validate_python(value)
    except ValidationError:
        return False
    return True


def may_be_list(hint: Any) -> bool:
    """Whether an argument of the type ``hint`` may be a list."""
    origin = get_origin(hint)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return True
    return any(may_be_list(part) for part in get_args(hint))
