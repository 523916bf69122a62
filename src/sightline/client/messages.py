"""Making messages from what a user typed."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sightline.errors import SightlineError

M = TypeVar("M", bound=BaseModel)

_NAME_RULE = "use letters, digits, '.', '_' and '-', at most 100, starting with a letter or digit"


def message(kind: type[M], **values: Any) -> M:
    """A message of type ``kind`` with these fields.

    Raises:
        SightlineError: a value is not allowed; the sentence names the field and the value.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        rule = first["msg"]
        if first["type"] == "string_pattern_mismatch":
            rule = _NAME_RULE if field == "name" else "write it like 1.0.0" if field == "version" else rule
        raise SightlineError(f"{field} {first['input']!r} is not allowed: {rule}.") from error
