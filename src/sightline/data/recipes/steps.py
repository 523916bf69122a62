"""One step of a recipe: an operation by name, and its arguments as JSON."""

import difflib
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import polars as pl
from pydantic import BaseModel, ValidationError

from sightline.data.arguments import argument_problem, arguments_model
from sightline.data.operations import OPERATIONS
from sightline.errors import SightlineError

_NOT_WRITTEN_DOWN = frozenset({"folder", "progress"})
"""Parameters that say how a step runs on this machine, not what comes out: the builder gives them."""


@dataclass(frozen=True)
class Step:
    """An operation and its arguments: all that it has, defaults written out, plain JSON values.

    Because defaults are written out, a step means the same after a default has changed.
    """

    operation: str
    arguments: Mapping[str, Any]

    @classmethod
    def of_call(cls, operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "Step":
        """The step for ``dataset.<operation>(*args, **kwargs)``.

        Raises:
            SightlineError: no such operation, or arguments that it does not take.
        """
        try:
            bound = inspect.Signature(parameters(operation)).bind(*args, **kwargs)
        except TypeError as error:
            raise SightlineError(f"recipe step '{operation}': {error}.") from None
        return cls.of_json({operation: dict(bound.arguments)}, operation)

    @classmethod
    def of_json(cls, value: Any, where: str) -> "Step":
        """The step that ``{"operation": {...arguments}}`` describes; ``where`` begins an error's sentence.

        Raises:
            SightlineError: as `of_call`, or a value of another shape.
        """
        if isinstance(value, str):
            value = {value: {}}
        if not isinstance(value, dict) or len(value) != 1:
            raise SightlineError(f'{where}: a step is written as {{"operation": {{arguments}}}}.')
        [(operation, arguments)] = value.items()
        operation_named(operation, where)
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, dict):
            raise SightlineError(
                f"{where}: the arguments of '{operation}' must be an object of names and values."
            )
        try:
            model = _arguments(operation).model_validate(arguments)
        except ValidationError as error:
            raise SightlineError(f"{where}: {_problem(operation, error, arguments)}") from None
        return cls(operation, model.model_dump(mode="json"))

    def to_json(self) -> dict[str, Any]:
        """``{"operation": {...arguments}}``."""
        return {self.operation: dict(self.arguments)}

    def reads_files(self) -> list[str]:
        """The arguments that are paths: files that the operation reads."""
        values = _arguments(self.operation).model_validate(dict(self.arguments))
        given = (getattr(values, name) for name in type(values).model_fields)
        return [str(value) for value in given if isinstance(value, Path)]

    def takes_folder(self) -> bool:
        """Whether the operation writes new images, and so needs to be told where."""
        return "folder" in inspect.signature(operation_named(self.operation)).parameters

    def apply(self, dataset: Any, folder: Path) -> Any:
        """The dataset after this step; ``folder`` is where it may write new images."""
        function = operation_named(self.operation)
        values = _arguments(self.operation).model_validate(dict(self.arguments))
        given: dict[str, Any] = {name: getattr(values, name) for name in type(values).model_fields}
        if self.takes_folder():
            given["folder"] = folder
        return function(dataset, **given)

    def __hash__(self) -> int:
        return hash((self.operation, repr(sorted(self.arguments.items()))))


def operation_named(name: str, where: str = "recipe") -> Callable[..., Any]:
    """The operation of that name; ``where`` begins the error's sentence.

    Raises:
        SightlineError: there is none.
    """
    if name in OPERATIONS:
        return OPERATIONS[name]
    near = difflib.get_close_matches(str(name), OPERATIONS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(sorted(OPERATIONS))}."
    raise SightlineError(f"{where}: there is no operation '{name}'; {hint}")


def parameters(operation: str) -> list[inspect.Parameter]:
    """The arguments that an operation takes in a recipe.

    Raises:
        SightlineError: there is no such operation.
    """
    taken = list(inspect.signature(operation_named(operation)).parameters.values())[1:]
    return [parameter for parameter in taken if parameter.name not in _NOT_WRITTEN_DOWN]


def argument_types(operation: str) -> dict[str, Any]:
    """The type of each argument that an operation takes in a recipe, by name.

    Raises:
        SightlineError: there is no such operation.
    """
    return {name: field.annotation for name, field in _arguments(operation).model_fields.items()}


@cache
def _arguments(operation: str) -> type[BaseModel]:
    """A model of the arguments that an operation takes in a recipe, made from its signature."""
    return arguments_model(operation_named(operation), parameters(operation), _of_recipe)


def _of_recipe(hint: Any) -> Any:
    """The type that an argument has in a recipe.

    Polars expressions are for Python only: they have no stable form as JSON. Text that may be a path is
    one, so that it is known which files a recipe reads.
    """
    if get_origin(hint) in (Union, types.UnionType):
        parts = get_args(hint)
        kept = tuple(
            _of_recipe(part) for part in parts if part is not pl.Expr and not (part is str and Path in parts)
        )
        return Union[kept]  # noqa: UP007 (made at run time)
    return hint


def _problem(operation: str, error: ValidationError, arguments: dict[str, Any]) -> str:
    first = error.errors()[0]
    if isinstance(first.get("input"), pl.Expr):
        argument = f"argument '{first['loc'][0]}' of '{operation}'"
        return f"{argument} is a polars expression; write it as SQL text in a recipe."
    return argument_problem(f"'{operation}'", "argument", _arguments(operation), error, arguments)
