"""What a class or function can be called with."""

import collections.abc
import inspect
import types
import typing
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from sightline.config.component import Component
from sightline.config.importing import import_object
from sightline.config.model import Config
from sightline.config.placed_error import PlacedError, first_error
from sightline.config.strict import ToTheLetter
from sightline.config.type_argument import config_type
from sightline.errors import SightlineError

_EMPTY = inspect.Parameter.empty
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_LAZY = (collections.abc.Iterable, collections.abc.Iterator, collections.abc.Generator)


@dataclass(frozen=True)
class Argument:
    """A parameter of a class or function, its annotation resolved (or ``inspect.Parameter.empty``)."""

    annotation: Any
    default: Any
    positional: bool

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is _EMPTY

    @property
    def takes_config(self) -> bool:
        """Whether it wants a config or component itself, rather than what a component builds."""
        return _mentions_config(self.annotation)

    def accept(self, value: Any) -> Any:
        """``value`` as the annotation wants it: a list becomes a tuple, text a path. Without an annotation
        that can be checked, ``value`` itself.

        Raises:
            PlacedError: the annotation does not allow the value.
        """
        if self.annotation is _EMPTY or (value is None and self.default is None):
            return value
        if isinstance(value, str) and _takes_callable(self.annotation):
            try:
                return import_object(value)
            except SightlineError as error:
                raise PlacedError(str(error)) from None
        # Pydantic would make a one-time iterator of what is merely iterable.
        adapter = None if get_origin(self.annotation) in _LAZY else _adapter(self.annotation)
        if adapter is None:
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise first_error(error, self.annotation, value) from None
        except (TypeError, AttributeError):  # an annotation that isinstance cannot work with
            return value


@dataclass(frozen=True)
class Signature:
    """What can be given to a class or function, by name."""

    arguments: dict[str, Argument]
    any_name: bool
    """It takes names that are not in `arguments` too, or does not say what it takes."""
    config: type[Config] | None
    """The config class of its first argument, which is not among `arguments`."""

    def positional(self, count: int) -> list[str]:
        """The names of the first ``count`` arguments that can be given by position."""
        return [name for name, argument in self.arguments.items() if argument.positional][:count]


def signature_of(target: Callable[..., Any]) -> Signature:
    """The signature of a class or function; of one that has none, which may be called with anything.

    Raises:
        SightlineError: a class that takes a config does not say which.
    """
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        return Signature({}, any_name=True, config=None)
    config = _config_of(target) if isinstance(target, type) else None
    function = _function_of(target)
    arguments = {
        parameter.name: Argument(
            _resolved(parameter.annotation, function), parameter.default, parameter.kind in _POSITIONAL
        )
        for parameter in parameters[config is not None :]
        if parameter.kind not in _VARIADIC
    }
    any_name = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    return Signature(arguments, any_name, config)


def _config_of(cls: type) -> type[Config] | None:
    """The config class that the first argument of ``cls(...)`` is annotated with, here or in a base class."""
    name = None
    for owner in cls.__mro__:
        init = vars(owner).get("__init__")
        if not inspect.isfunction(init):
            continue
        first = next(iter(list(inspect.signature(init).parameters.values())[1:]), None)
        if first is None or first.kind not in _POSITIONAL or first.name != (name or first.name):
            return None
        annotation = _resolved(first.annotation, init)
        if annotation is not _EMPTY:
            return _config_in(annotation, cls, owner)
        name = first.name  # not annotated here: it is what the base class calls by the same name
    return None


def _config_in(annotation: Any, cls: type, owner: type) -> type[Config] | None:
    if get_origin(annotation) in (typing.Union, types.UnionType):  # `config: DigitsConfig | None = None`
        members = [member for member in get_args(annotation) if member is not types.NoneType]
        annotation = members[0] if len(members) == 1 else annotation
    if isinstance(annotation, TypeVar):
        bound = annotation.__bound__
        is_config = isinstance(bound, type) and issubclass(bound, Config)
        return config_type(cls, owner) if is_config else None
    is_config = isinstance(annotation, type) and issubclass(annotation, Config)
    return annotation if is_config and not issubclass(annotation, Component) else None


def _function_of(target: Any) -> Any:
    if isinstance(target, type):
        init = target.__init__
        target = init if inspect.isfunction(inspect.unwrap(init)) else target.__new__
    return inspect.unwrap(getattr(target, "__func__", target))


def _resolved(annotation: Any, function: Any) -> Any:
    """The annotation with names in text looked up where ``function`` is defined; empty if not found."""
    holder = types.SimpleNamespace(__annotations__={"value": annotation})
    try:
        hints = typing.get_type_hints(
            holder, globalns=getattr(function, "__globals__", None), include_extras=True
        )
    except Exception:  # an annotation may be any expression, and only type checkers may know its names
        return _EMPTY
    return _EMPTY if annotation is _EMPTY else hints["value"]


def _mentions_config(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return True
    return any(_mentions_config(arg) for arg in get_args(annotation))


def _takes_callable(annotation: Any) -> bool:
    """Whether only a class or function will do (or nothing at all)."""
    options = [arg for arg in get_args(annotation) if arg is not type(None)]
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return all(map(_takes_callable, options))
    kinds = (type, collections.abc.Callable, typing.Callable)
    return (get_origin(annotation) or annotation) in kinds


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    strict: Any = Annotated[annotation, ToTheLetter]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for config in (ConfigDict(arbitrary_types_allowed=True), None):  # a model brings its own
            with suppress(Exception):  # not an annotation for values: it says nothing that can be checked
                return TypeAdapter(strict, config=config)
    return None
