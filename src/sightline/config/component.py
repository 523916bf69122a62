"""`Component`: a class or function by its import path, and the arguments to call it with."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic import ValidationError, field_validator, model_serializer

from sightline.config.importing import class_path_of
from sightline.config.model import Config
from sightline.config.placed_error import first_error
from sightline.config.plain import plain
from sightline.config.source import Key
from sightline.config.tree import children


class Component(Config):
    """Something to build: ``{class_path: torch.optim.AdamW, init_args: {lr: 1e-3}}``.

    Arguments are kept as YAML would hold them (tuples as lists, paths and classes as text), so that a
    component made in Python equals the same one read from a file. A mapping with a ``class_path`` anywhere
    in the arguments is a component too.
    """

    type_name: ClassVar[str] = "component"

    class_path: str
    """The class or function: `package.module.Name`, or `path/to/file.py:Name`."""
    init_args: dict[str, Any] = {}
    """The arguments to call it with, by name."""

    @field_validator("class_path")
    @classmethod
    def _check_class_path(cls, class_path: str) -> str:
        if "." not in class_path or class_path != "".join(class_path.split()):
            raise ValueError(f"'{class_path}' names no module; write package.module.Name or file.py:Name.")
        return class_path

    @field_validator("init_args", mode="before")
    @classmethod
    def _normalize_arguments(cls, arguments: Any) -> Any:
        if arguments is None:  # `init_args:` with every line below it commented out
            return {}
        return _with_components(plain(arguments)) if isinstance(arguments, Mapping) else arguments

    @classmethod
    def _instead_of(cls, key: Any, values: Mapping[Any, Any]) -> str:
        near = super()._instead_of(key, values)
        if near.startswith("; did you mean"):
            return near
        if "class_path" not in values:
            return "; a component is {class_path: ..., init_args: {...}}."
        return "; put arguments below 'init_args'."

    @model_serializer(mode="plain")
    def _serialize(self) -> dict[str, Any]:
        arguments = plain(self.init_args)
        return {"class_path": self.class_path} | ({"init_args": arguments} if arguments else {})


def component(target: Callable[..., Any], /, **init_args: Any) -> Component:
    """The component that calls ``target``: ``component(torch.optim.AdamW, lr=1e-3)``.

    Its class path is the shortest one, so `torch.optim.AdamW` rather than where the class was written; an
    object of the running script is named by the script's file.

    Raises:
        SightlineError: ``target`` has no name that can be imported, or an argument cannot be written in a
            specification.
    """
    return Component(class_path=class_path_of(target), init_args=init_args)


def contains_component(value: Any) -> bool:
    """Whether a component is anywhere in a value."""
    return isinstance(value, Component) or any(contains_component(item) for _, item in children(value))


def _with_components(value: Any, path: tuple[Key, ...] = ()) -> Any:
    if isinstance(value, list):
        return [_with_components(item, (*path, n)) for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "class_path" not in value or not path:
        return {key: _with_components(item, (*path, key)) for key, item in value.items()}
    try:
        return Component.model_validate(value)
    except ValidationError as error:
        raise first_error(error, Component, value).below(path) from None
