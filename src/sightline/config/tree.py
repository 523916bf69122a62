"""Settings as a tree: what is inside what."""

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sightline.config.source import Key


def children(value: Any) -> Iterator[tuple[Key, Any]]:
    """The values directly inside a model, mapping or list, with their keys."""
    if isinstance(value, BaseModel):
        yield from ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)


def field_type(field: FieldInfo) -> Any:
    """The annotation of a field, as it was written."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a value of this type is, or may be."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    members = get_args(annotation) if get_origin(annotation) in (Annotated, Union, types.UnionType) else ()
    return next((found for member in members if (found := model_in(member)) is not None), None)


def type_at(annotation: Any, path: Sequence[Key]) -> Any:
    """The type that a value at ``path`` inside a value of type ``annotation`` must have, or None."""
    if not path:
        return annotation
    key, *rest = path
    fields = getattr(annotation, "model_fields", {})
    if key in fields:
        return type_at(field_type(fields[key]), rest)
    origin, args = get_origin(annotation), get_args(annotation)
    if not args:
        return None
    if origin is Annotated:
        return type_at(args[0], path)
    if origin in (Union, types.UnionType):
        return next((found for arg in args if (found := type_at(arg, path)) is not None), None)
    if not isinstance(origin, type):
        return None
    if issubclass(origin, Mapping) and len(args) == 2:
        return type_at(args[1], rest)
    if not isinstance(key, int) or not issubclass(origin, Sequence):
        return None
    if origin is tuple and args[-1] is not Ellipsis:
        return type_at(args[key], rest) if key < len(args) else None
    return type_at(args[0], rest)
