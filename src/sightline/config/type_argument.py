"""The config class that a class is written for: ``DigitsConfig`` in ``class Digits(Task[DigitsConfig])``."""

from typing import Any, TypeVar, get_args, get_origin

from sightline.config.model import Config
from sightline.errors import SightlineError


def config_type(cls: type, base: type) -> type[Config]:
    """The config class given to the generic class ``base``, anywhere between it and ``cls``.

    Raises:
        SightlineError: none is given, or not a `Config`.
    """
    found = _argument(cls, base)
    if isinstance(found, type) and issubclass(found, Config):
        return found
    if found is None or isinstance(found, TypeVar):
        name = cls.__name__ if cls is not base else f"My{cls.__name__}"
        raise SightlineError(
            f"{cls.__qualname__} does not say what its configuration is; "
            f"write `class {name}({base.__name__}[{name}Config])`."
        )
    name = getattr(found, "__name__", found)
    raise SightlineError(
        f"{cls.__qualname__} is a {base.__name__}[{name}], but {name} is not a Config; "
        f"write `class {name}(sightline.config.Config)`."
    )


def _argument(cls: type, base: type) -> Any:
    """What stands in the brackets of ``base``: a class, a type variable that is still open, or None."""
    for written in vars(cls).get("__orig_bases__", cls.__bases__):
        parent, arguments = get_origin(written) or written, get_args(written)
        if parent is base:
            return arguments[0] if arguments else None
        if not (isinstance(parent, type) and issubclass(parent, base)):
            continue
        found = _argument(parent, base)
        if isinstance(found, TypeVar):
            parameters = getattr(parent, "__parameters__", ())
            found = arguments[parameters.index(found)] if arguments and found in parameters else None
        if found is not None:
            return found
    return None
