"""Calling another library's constructor with what a user wrote."""

from collections.abc import Callable
from typing import Any, TypeVar

from sightline.config.wording import shown
from sightline.errors import SightlineError

T = TypeVar("T")

_REFUSALS = (TypeError, ValueError, RuntimeError, KeyError, IndexError, AssertionError, NotImplementedError)


def constructed(what: str, constructor: Callable[..., T], options: dict[str, Any], **settled: Any) -> T:
    """``constructor(**settled, **options)``.

    Args:
        what: the model, for messages.
        constructor: of a library, which refuses options in a way of its own.
        options: what the user chose.
        settled: arguments that are not for the user to choose.

    Raises:
        SightlineError: an option is decided already, or the constructor refuses one.
    """
    for name in options:
        if name in settled:
            raise SightlineError(f"{what}: '{name}' is no option, it follows from the other settings.")
    try:
        return constructor(**settled, **options)
    except _REFUSALS as error:
        reason = " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__
        chosen = f" with {shown(options, 200)}" if options else ""
        raise SightlineError(f"{what}: cannot be built{chosen} ({reason}).") from error


def checked_sizes(what: str, classes: int, channels: int) -> None:
    """Refuse impossible numbers of classes and bands.

    Raises:
        SightlineError: one is below 1.
    """
    for name, number in (("classes", classes), ("channels", channels)):
        if number < 1:
            raise SightlineError(f"{what}: '{name}' is {number}; it has to be at least 1.")
