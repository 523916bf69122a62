"""Config classes and code to build, as a user would write them."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field, PositiveInt, field_validator
from pydantic_core import core_schema

from sightline.config import Component, Config, TypeName
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Duration:
    """A type that brings its own name, reading and writing."""

    epochs: int
    type_name: ClassVar[str] = "duration"

    @classmethod
    def read(cls, text: Any) -> "Duration":
        if isinstance(text, cls):
            return text
        if not isinstance(text, str) or not text.removesuffix("ep").isdecimal():
            raise ValueError(f"{text!r} is no duration; write 3ep")
        return cls(int(text.removesuffix("ep")))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        write = core_schema.plain_serializer_function_ser_schema(lambda self: f"{self.epochs}ep")
        return core_schema.no_info_plain_validator_function(cls.read, serialization=write)


class Stopping(Config):
    """When to stop."""

    patience: Duration = Duration(3)
    least: Duration | None = None


class Trainer(Config):
    """How long to train."""

    max_duration: Annotated[str, TypeName("duration")] = "1ep"
    """How long to train,
    such as `3ep`."""
    precision: Literal["fp32", "bf16"] = "fp32"
    clip: Annotated[float, Field(gt=0, le=10)] | None = None
    accumulate: PositiveInt = 1

    @field_validator("max_duration")
    @classmethod
    def _check(cls, value: str) -> str:
        if not value.endswith(("ep", "ba")):
            raise ValueError(f"'{value}' is no duration; write 3ep or 500ba")
        return value


class Spec(Config):
    """An experiment."""

    name: str
    """What it is called."""
    seed: int = 0
    lr: float = 1e-3
    shuffle: bool = True
    colour: Colour = Colour.RED
    size: tuple[int, int] = (32, 32)
    folder: Path = Path("runs")
    extra: Any = None
    labels: dict[int, str] = {}
    model: Component | None = None
    trainer: Trainer = Trainer(accumulate=4)
    metrics: dict[str, Component] = {}
    callbacks: list[Component] = []


class Digits(Config):
    width: PositiveInt
    head: Component | None = None


C = TypeVar("C", bound=Config)


class Task(Generic[C]):
    def __init__(self, config: C, device: str = "cpu") -> None:
        self.config = config
        self.device = device


class DigitsTask(Task[Digits]):
    pass


class Middle(Task[C], Generic[C]):
    pass


class Leaf(Middle[Digits]):
    def __init__(self, config, device="cpu"):
        super().__init__(config, device)


class Unnamed(Task):
    pass


class NotAConfig(Task[int]):  # pyright: ignore[reportInvalidTypeArguments]
    pass


TRAINER = Trainer()


@dataclass
class Holder:
    """Keeps what it is given."""

    path: Path = Path()
    pair: tuple[float, float] = (0.0, 0.0)
    mode: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    nested: Trainer = TRAINER
    part: Component | None = None
    count: int = None  # type: ignore[assignment]
    function: type | None = None
    names: "Iterable[str]" = ()
    unknown: "NoSuchName" = None  # pyright: ignore[reportUndefinedVariable]  # noqa: F821
    flag: bool = False


def anything(**values: Any) -> dict[str, Any]:
    return values


def untyped(values, other=None):
    return values


def refuses() -> None:
    raise SightlineError("the folder x is empty; fill it.")


def fails(text: str = "one\ntwo") -> None:
    raise KeyError(text)


class Maker:
    @classmethod
    def make(cls, size: int) -> "Maker":
        made = cls()
        made.size = size  # type: ignore[attr-defined]
        return made


class Lenient(Task[Digits]):
    def __init__(self, config: Digits | None = None, device: str = "cpu") -> None:
        super().__init__(config or Digits(), device)
