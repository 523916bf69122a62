"""`Config`: a group of settings with types, defaults and meanings."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from sightline.config.placed_error import PlacedError, first_error
from sightline.config.source import Key, Origin, Source
from sightline.config.strict import to_the_letter
from sightline.config.tree import children
from sightline.config.wording import instead


class Config(BaseModel):
    """A group of settings, written as a class::

        class Training(Config):
            lr: float = 1e-3
            \"\"\"Learning rate, per update.\"\"\"
            warmup: PositiveInt | None = None
            \"\"\"Updates until the learning rate is reached.\"\"\"

    Instances cannot be changed, and compare by value. A key that the class does not have is refused, with the
    nearest one named. Types are taken at their word: text is never read as a number or as true or false, and
    true is not 1; but a whole number serves as a number, a list as a tuple, text as a path, and the value or
    the name of a member as an `enum.Enum`. Defaults are held to the same rules.

    A validator of one's own raises ``ValueError`` with a sentence; the place is put in front of it.

    Raises:
        SightlineError: a value is wrong, missing or unknown; the sentence names its key path and says what
            was expected.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        ser_json_inf_nan="constants",
    )

    type_name: ClassVar[str] = "mapping"
    """What messages and the reference call a value of this class."""

    _origin: Origin = PrivateAttr(default_factory=Origin)

    def __init__(self, /, **values: Any) -> None:
        try:
            self.__pydantic_validator__.validate_python(values, self_instance=self)
        except ValidationError as error:
            problem = first_error(error, type(self), values)
        else:
            return
        raise problem.error(Origin(Source(type(self).__name__)))

    # Pydantic's own mark of an __init__ that only validates: nested models then do not call it, and an error
    # inside one is reported once, from the top, with the whole key path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return to_the_letter(handler(source), handler, own=cls)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for key in values:
                if key not in cls.model_fields:
                    message = f"unknown key '{key}'{cls._instead_of(key, values)}"
                    raise PlacedError(message, (key,), key=True)
        return values

    @classmethod
    def _instead_of(cls, key: Any, values: Mapping[Any, Any]) -> str:
        return instead(key, cls.model_fields, taken=values)


def place_of(config: Config, *keys: Key, where: str = "") -> str:
    """Where a value of ``config`` was written, to begin a message with: ``spec.yaml:12: trainer.precision``.

    Args:
        config: an object that was read from a file, or made in Python.
        keys: the path of the value inside it.
        where: the key path of ``config`` itself, used where it was made in Python.
    """
    return config._origin.describe(keys, where)


def remember(value: Any, written: Any, origin: Origin) -> None:
    """Tell every config inside ``value`` where it was ``written``; not those that come from defaults."""
    if isinstance(value, Config):
        value._origin = origin
    known = dict(children(written))
    for key, item in children(value):
        if key in known:
            remember(item, known[key], origin.below(key))
