"""Settings as YAML holds them: mappings, lists, text, numbers, true, false and null."""

import inspect
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, PydanticSchemaGenerationError, TypeAdapter
from pydantic_core import PydanticSerializationError

from sightline.config.importing import class_path_of
from sightline.config.placed_error import PlacedError
from sightline.config.source import Key
from sightline.errors import SightlineError


def plain(value: Any, path: tuple[Key, ...] = ()) -> Any:
    """A new value of nothing but dict, list, str, int, float, bool and None.

    Raises:
        PlacedError: something inside cannot be written in YAML; its path is known.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        scalar = isinstance(value.value, (str, int, float))
        return value.value if scalar else value.name
    for kind in (str, int, float):  # a subclass, such as numpy.float64, becomes what it is a kind of
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key, path): plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, (*path, n)) for n, item in enumerate(value)]
    if isinstance(value, AbstractSet):
        return sorted(plain(list(value), path), key=lambda item: (str(type(item)), item))
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="python"), path)
    if inspect.isclass(value) or inspect.isroutine(value):
        return _class_path(value, path)
    return _dumped(value, path)


def _key(key: Any, path: tuple[Key, ...]) -> Any:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, bool) or not isinstance(key, (str, int, float)):
        raise PlacedError(f"the key {key!r} cannot be written in YAML; use text or a whole number.", path)
    return plain(key)


def _class_path(value: Callable[..., Any], path: tuple[Key, ...]) -> str:
    try:
        return class_path_of(value)
    except SightlineError as error:
        raise PlacedError(str(error), path) from None


def _dumped(value: Any, path: tuple[Key, ...]) -> Any:
    """A value of a type that pydantic was taught to write, such as a date or a duration."""
    try:
        dumped = TypeAdapter(type(value)).dump_python(value, mode="json")
    except (PydanticSchemaGenerationError, PydanticSerializationError):
        dumped = value
    if dumped is value:
        name = type(value).__name__
        raise PlacedError(
            f"an object of type {name} cannot be written in a specification; write component({name}, ...).",
            path,
        )
    return plain(dumped, path)
