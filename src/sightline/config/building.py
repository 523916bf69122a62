"""From a component to the object that it describes."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from sightline.config.component import Component, contains_component
from sightline.config.importing import import_object
from sightline.config.model import Config, remember
from sightline.config.placed_error import PlacedError, first_error
from sightline.config.signatures import signature_of
from sightline.config.source import Origin, Path, Source, key_path
from sightline.config.wording import instead
from sightline.errors import SightlineError

_ARGUMENTS = "init_args"
_SHOWN = 200  # characters of another's message


def build(component: Component, *late_args: Any, where: str = "", **late: Any) -> Any:
    """Call what ``component`` names with its arguments; components among them are built first.

    Arguments are held against the annotations of what is called. One that is annotated as a `Component` (or
    another `Config`) is given as it is, to be built by the code that takes it. Where a class takes a `Config`
    as its first argument, ``init_args`` are the fields of that config.

    Args:
        component: what to build.
        late_args: first positional arguments, after the config if there is one, that only the caller knows.
        where: the key path of ``component``, for messages; one that was read from a file knows its own.
        late: the same by name, such as ``params`` of an optimizer.

    Raises:
        SightlineError: it cannot be imported, an argument is unknown, missing, of the wrong type or the
            caller's to give, or the call raised an exception; the sentence begins with the place.
    """
    call = _Call(component, len(late_args), list(late), where)
    config, arguments = call.config_and_arguments(build)
    try:
        return call.target(*config, *late_args, **arguments, **late)
    except SightlineError as error:
        located = call.error(PlacedError(str(error)))
        located.exit_code = error.exit_code
        raise located from error
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
        raise call.error(PlacedError(f"{component.class_path} failed: {text}")) from error


def check(component: Component, late: int | Sequence[str] = (), where: str = "") -> None:
    """Everything that `build` checks, without calling anything (but modules are imported).

    Args:
        component: what could be built.
        late: how many positional arguments `build` will be given, or the names of arguments.
        where: as for `build`.

    Raises:
        SightlineError: as `build`.
    """
    count, names = (late, ()) if isinstance(late, int) else (0, late)
    _Call(component, count, names, where).config_and_arguments(None)


class _Call:
    """A component, held against what it names."""

    def __init__(self, component: Component, late_count: int, late: Sequence[str], where: str) -> None:
        self._component = component
        self._where = where
        self.name = component.class_path
        try:
            self.target: Callable[..., Any] = import_object(self.name)
            if not callable(self.target):
                raise SightlineError(
                    f"{self.name} is a {type(self.target).__name__}; name a class or function."
                )
            self._signature = signature_of(self.target)
        except SightlineError as error:
            raise self.error(PlacedError(str(error), ("class_path",))) from error.__cause__
        self._late = [*self._signature.positional(late_count), *late]
        self._check_late(late_count)
        if self._signature.config is None:
            self._check_names()
        self._check_complete()

    def config_and_arguments(self, make: Callable[..., Any] | None) -> tuple[list[Config], dict[str, Any]]:
        """What to call with. Without ``make``, which builds a component, components are only checked."""
        values = self._component.init_args
        config_class = self._signature.config
        if config_class is None:
            return [], {name: self._value(name, value, make) for name, value in values.items()}
        try:
            config = config_class.model_validate(values)
        except ValidationError as error:
            raise self.error(first_error(error, config_class, values).below((_ARGUMENTS,))) from None
        if self._component._origin.source is not None:
            remember(config, values, self._component._origin.below(_ARGUMENTS))
        return [config], {}

    def _value(self, name: str, value: Any, make: Callable[..., Any] | None) -> Any:
        argument = self._signature.arguments.get(name)
        if contains_component(value) and not (argument and argument.takes_config):
            value = self._made(value, (_ARGUMENTS, name), make)
            if make is None:
                return value  # what the components inside would give is not known
        try:
            return value if argument is None else argument.accept(value)
        except PlacedError as problem:
            raise self.error(problem.below((_ARGUMENTS, name))) from None

    def _made(self, value: Any, path: Path, make: Callable[..., Any] | None) -> Any:
        if isinstance(value, Component):
            where = key_path((self._where, *path) if self._where else path)
            return check(value, where=where) if make is None else make(value, where=where)
        if isinstance(value, dict):
            return {key: self._made(item, (*path, key), make) for key, item in value.items()}
        if isinstance(value, list):
            return [self._made(item, (*path, n), make) for n, item in enumerate(value)]
        return value

    def _check_late(self, count: int) -> None:
        if self._signature.any_name:
            return
        unknown = [name for name in self._late if name not in self._signature.arguments]
        if unknown:
            what = f"the argument '{unknown[0]}'"
        elif len(self._signature.positional(count)) < count:
            what = f"{count} positional argument{'s' * (count > 1)}"
        else:
            return
        message = f"{self.name} does not take {what}, which it is given here; name another class or function."
        raise self.error(PlacedError(message, ("class_path",)))

    def _check_names(self) -> None:
        known = [name for name in self._signature.arguments if name not in self._late]
        for name in self._component.init_args:
            if name in self._late:
                message = f"the engine provides '{name}' of {self.name}; remove it."
            elif name not in known and not self._signature.any_name:
                near = instead(name, known, taken=self._component.init_args, verb="takes")
                message = f"{self.name} has no argument '{name}'{near}"
            else:
                continue
            raise self.error(PlacedError(message, (_ARGUMENTS, name), key=True))

    def _check_complete(self) -> None:
        own = self._component.init_args if self._signature.config is None else {}
        mend = "add it to init_args" if self._signature.config is None else "only code can give it"
        for name, argument in self._signature.arguments.items():
            if argument.required and name not in own and name not in self._late:
                raise self.error(PlacedError(f"{self.name} needs the argument '{name}'; {mend}."))

    def error(self, problem: PlacedError) -> SightlineError:
        """The sentence about something in the component."""
        origin = self._component._origin
        if origin.source is None and not self._where and self.name not in problem.message:
            origin = Origin(Source(self.name))
        return problem.error(origin, self._where)
