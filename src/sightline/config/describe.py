"""The keys of a config class, for the reference and for ``--help``."""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sightline.config.component import Component
from sightline.config.model import Config
from sightline.config.tree import field_type
from sightline.config.wording import type_name
from sightline.config.yaml_writing import on_one_line


class Key(NamedTuple):
    """One key of a specification."""

    path: str
    """The key path; ``<n>`` stands for any index and ``<name>`` for any name."""
    type: str
    """The type in people's words: ``whole number > 0 or null``."""
    default: str | None
    """The default as it would be written; None where the key is required, and nothing where the default is
    that of each key inside."""
    meaning: str
    """The docstring below the attribute."""


def describe(config_class: type[Config]) -> list[Key]:
    """Every key of ``config_class``, those of nested config classes after the key that holds them."""
    return list(_keys(config_class, None, "", ()))


def _keys(
    config_class: type[Config], made: Config | None, prefix: str, around: tuple[type, ...]
) -> Iterator[Key]:
    """The keys of a class; those of ``made``, the default where the class is used, have its values."""
    if config_class in around:  # a class that contains itself
        return
    for name, field in config_class.model_fields.items():
        annotation = field_type(field)
        path = f"{prefix}{name}"
        default = _default(field) if made is None else getattr(made, name)
        yield Key(
            path, _named(field, annotation), _written(default), " ".join((field.description or "").split())
        )
        for below, nested in _nested(annotation):
            inside = default if isinstance(default, nested) else None
            yield from _keys(nested, inside, f"{path}{below}.", (*around, config_class))


def _named(field: FieldInfo, annotation: Any) -> str:
    extra = field.json_schema_extra
    own = extra.get("type_name") if isinstance(extra, dict) else None
    return own if isinstance(own, str) else type_name(annotation)


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _written(default: Any) -> str | None:
    if default is PydanticUndefined:
        return None
    if isinstance(default, Config) and not isinstance(default, Component):
        return ""
    return on_one_line(default)


def _nested(annotation: Any) -> Iterator[tuple[str, type[Config]]]:
    """The config classes in a type, with what stands between the key and their own keys."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        if not issubclass(annotation, Component):
            yield "", annotation
        return
    origin, args = get_origin(annotation), get_args(annotation)
    step = ".<name>" if origin is dict else ".<n>" if origin in (list, tuple) else ""
    for arg in args[:1] if origin is Annotated else args:
        yield from ((step + below, nested) for below, nested in _nested(arg))
