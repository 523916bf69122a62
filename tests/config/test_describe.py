from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from sightline.config import Component, Config, Key, TypeName, describe
from sightline.config.wording import type_name
from tests.config.settings import Colour, Spec, Trainer


def test_every_key_with_type_default_and_meaning() -> None:
    keys = {key.path: key for key in describe(Spec)}
    assert keys["seed"] == Key("seed", "whole number", "0", "")
    assert keys["trainer.max_duration"] == Key(
        "trainer.max_duration", "duration", "1ep", "How long to train, such as `3ep`."
    )
    assert keys["trainer"].default == ""
    assert keys["trainer.accumulate"].default == "4"  # where it is used, not where it is declared
    assert keys["size"].default == "[32, 32]"
    assert keys["trainer.clip"].type == "number > 0 and <= 10 or null"
    assert keys["callbacks"].type == "list of component"
    assert list(keys)[-2:] == ["metrics", "callbacks"]


def test_nested_in_lists_and_mappings() -> None:
    class Outer(Config):
        steps: list[Trainer] = []
        named: dict[str, Trainer] | None = None
        word: str = Field(default="no", json_schema_extra={"type_name": "word"})
        part: Component = Component(class_path="a.B")

    paths = [key.path for key in describe(Outer)]
    assert "steps.<n>.clip" in paths
    assert "named.<name>.clip" in paths
    assert describe(Outer)[-2:] == [
        Key("word", "word", "'no'", ""),
        Key("part", "component", "{class_path: a.B}", ""),
    ]


class Duration:
    type_name: ClassVar[str] = "duration"


class Numbered(Enum):
    ONE = object()


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (int | None, "whole number or null"),
        (None | int, "whole number or null"),
        (Literal["a", 1, None], "one of a, 1, null"),
        (Colour, "one of red, blue"),
        (Numbered, "ONE"),
        (list[Duration], "list of duration"),
        (Sequence[float], "list of number"),
        (tuple[int, ...], "list of whole number"),
        (tuple[int, float], "[whole number, number]"),
        (dict[str, Any], "mapping of text to anything"),
        (Callable[[int], int], "class_path"),
        (type[Enum], "class_path"),
        (Path, "path"),
        (list, "list"),
        (Annotated[Duration, TypeName("pause")], "pause"),
        (Annotated[list[int], Field(min_length=1)], "list of whole number of length >= 1"),
    ],
)
def test_types_in_words(annotation: Any, name: str) -> None:
    assert type_name(annotation) == name
