"""Turning whatever holds a script's settings into JSON."""

import dataclasses
import math
from argparse import Namespace
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any

from sightline.errors import SightlineError

_LONGEST_ARRAY = 1000  # elements; a longer one is described, not written out


def to_settings(configuration: Any) -> dict[str, Any]:
    """A mapping, pydantic model, dataclass instance or ``argparse.Namespace`` as a JSON object.

    Values that JSON lacks are written as text: paths, dates, devices, NaN and the infinities.

    Raises:
        SightlineError: another type, or a configuration that contains itself.
    """
    try:
        settings = _plain(configuration)
    except RecursionError as error:
        raise SightlineError("log_configuration: it contains itself; log a plain copy.") from error
    if not isinstance(settings, dict):
        raise SightlineError(
            f"log_configuration: type {type(configuration).__name__} has no named settings; "
            "pass a dict, a pydantic model, a dataclass or an argparse.Namespace."
        )
    return settings


def _plain(value: Any) -> Any:
    # Enum first: a StrEnum or IntEnum is also a str or an int.
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, Namespace):
        return _plain(vars(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    if not isinstance(value, type) and callable(getattr(value, "model_dump", None)):
        # As pydantic writes it, so that SecretStr stays hidden and serializers are obeyed.
        return _plain(value.model_dump(mode="json"))
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):  # datetimes too
        return value.isoformat()
    return _array(value) if hasattr(value, "tolist") and hasattr(value, "shape") else str(value)


def _array(value: Any) -> Any:
    if math.prod(value.shape) > _LONGEST_ARRAY:
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    return _plain(value.tolist())
