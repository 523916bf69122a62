"""Types taken at their word: what pydantic would read as another type is refused."""

from enum import Enum
from typing import Any, cast

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_STRICT = ("bool", "int", "float")
_OPAQUE = ("cls", "config", "default", "members", "metadata")


def to_the_letter(schema: Any, handler: GetCoreSchemaHandler, own: type | None = None) -> Any:
    """A pydantic schema in which numbers and booleans are not read from text or from one another.

    Members of an enum are found by name too. Models other than ``own`` keep their own rules.
    """
    if isinstance(schema, list):
        return [to_the_letter(item, handler, own) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind in ("model", "dataclass") and schema["cls"] is not own:
        return schema
    if kind == "definition-ref":
        found = handler.resolve_ref_schema(cast(CoreSchema, schema))
        return _by_name_too(found) if found["type"] == "enum" else schema
    if kind == "enum":
        return _by_name_too(cast(core_schema.EnumSchema, schema))
    opaque = _OPAQUE if isinstance(kind, str) else ()  # else the keys are those of fields
    changed = {
        key: item if key in opaque else to_the_letter(item, handler, own) for key, item in schema.items()
    }
    return changed | {"strict": True} if kind in _STRICT else changed


def _by_name_too(schema: core_schema.EnumSchema) -> CoreSchema:
    enum: type[Enum] = schema["cls"]
    values = [member.value for member in enum]

    def member(name: Any) -> Any:
        by_name = isinstance(name, str) and name not in values and name in enum.__members__
        return enum[name] if by_name else name

    own = cast(CoreSchema, {key: value for key, value in schema.items() if key != "ref"})
    return core_schema.no_info_before_validator_function(member, own)


class ToTheLetter:
    """Makes an annotation strict: ``Annotated[int | None, ToTheLetter]``. See `to_the_letter`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return to_the_letter(handler(source), handler)
