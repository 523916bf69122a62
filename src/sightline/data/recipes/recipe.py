"""A recipe: a source and steps, in Python or as JSON."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.data.operations import OPERATIONS
from sightline.data.recipes.building import CACHE, build
from sightline.data.recipes.sources import (
    OWN_FORMAT,
    FolderSource,
    MergeSource,
    NamedSource,
    Source,
    source_of_json,
)
from sightline.data.recipes.steps import Step
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


@dataclass(frozen=True, repr=False)
class Recipe:
    """A dataset described as data: where its samples come from, and what is done to them.

    Every operation of `Dataset` is a method here too, and adds a step instead of doing it::

        recipe = Recipe.from_name("digits").filter("split = 'train'").sample(n=100, seed=1)
        recipe.to_json()      # {"source": {"name": "digits"}, "steps": [{"filter": ...}, ...]}
        recipe.build()        # the dataset

    Recipes are compared, hashed and cached by what they say: the arguments of a step are written out
    with their defaults.
    """

    source: Source
    steps: tuple[Step, ...] = ()

    @classmethod
    def from_name(cls, name: str, version: str | None = None) -> "Recipe":
        """The dataset that `Dataset.from_name` finds."""
        return cls(NamedSource(name, version))

    @classmethod
    def from_path(cls, path: str | Path, format: str = OWN_FORMAT, **options: Any) -> "Recipe":
        """A dataset folder, or with ``format`` (``"coco"``) what that format's reader makes of ``path``."""
        return cls(FolderSource(str(path), format, options))

    @classmethod
    def merge(cls, recipes: "Sequence[Recipe]") -> "Recipe":
        """Several recipes, merged as `Dataset.merge` does."""
        return cls(MergeSource(tuple(recipes)))

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The recipe of a JSON text.

        Raises:
            SightlineError: not JSON, or not a recipe; the sentence says where.
        """
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise SightlineError(
                f"recipe: not valid JSON at line {error.lineno}, column {error.colno} ({error.msg})."
            ) from None
        return cls.from_value(value)

    @classmethod
    def from_file(cls, path: str | Path) -> "Recipe":
        """The recipe of a JSON file.

        Raises:
            SightlineError: no such file, not UTF-8, not JSON, or not a recipe; the sentence says where.
        """
        path = Path(path)
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from None
        except UnicodeDecodeError as error:
            raise SightlineError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
        except SightlineError as error:
            raise SightlineError(f"{path}: {error}") from None

    @classmethod
    def from_value(cls, value: Any, where: str = "recipe") -> "Recipe":
        """The recipe of a parsed JSON value: ``{"source": ..., "steps": [...]}``, or a source alone.

        Raises:
            SightlineError: not a recipe; the sentence says where.
        """
        if not isinstance(value, dict) or "source" not in value:
            if isinstance(value, dict) and "steps" in value:
                raise SightlineError(f"{where}: has steps but no 'source'; add one.")
            return cls(source_of_json(value, where))
        unknown = sorted(set(value) - {"source", "steps"})
        if unknown:
            raise SightlineError(f"{where}: '{unknown[0]}' is not one of source, steps.")
        steps = value.get("steps", [])
        if not isinstance(steps, list):
            raise SightlineError(f"{where}: 'steps' must be a list.")
        return cls(
            source_of_json(value["source"], f"{where}.source"),
            tuple(Step.of_json(step, f"{where}.steps[{n}]") for n, step in enumerate(steps)),
        )

    def to_value(self) -> dict[str, Any]:
        """``{"source": ..., "steps": [...]}``, of plain JSON values."""
        return {"source": self.source.to_json(), "steps": [step.to_json() for step in self.steps]}

    def to_json(self, indent: int | None = 2) -> str:
        """The recipe as JSON text; `from_json` gives an equal recipe back."""
        return json.dumps(self.to_value(), indent=indent, ensure_ascii=False)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what the recipe says; equal recipes have equal hashes, on every machine.

        It says nothing of what the sources hold; the cache of `build` also knows that.
        """
        text = json.dumps(self.to_value(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def names(self) -> list[NamedSource]:
        """The datasets that are named anywhere in it, each once, in order."""
        if isinstance(self.source, NamedSource):
            return [self.source]
        if isinstance(self.source, MergeSource):
            return list(dict.fromkeys(name for recipe in self.source.recipes for name in recipe.names()))
        return []

    def reads_files(self) -> list[str]:
        """The files and folders of this machine that it reads, as sources or in steps, in order."""
        if isinstance(self.source, MergeSource):
            found = [path for recipe in self.source.recipes for path in recipe.reads_files()]
        else:
            found = [self.source.path] if isinstance(self.source, FolderSource) else []
        return found + [path for step in self.steps for path in step.reads_files()]

    def build(self, *, cache: str | Path | None = CACHE, force: bool = False) -> "Dataset":
        """The dataset that the recipe describes.

        It is kept in the folder ``cache`` and found there by the next call, as long as the recipe, the
        content of its sources and Sightline's version are the same; ``force`` builds it anew. With
        ``cache=None`` it is made in memory, which steps that write images cannot do.

        Raises:
            SightlineError: a source is not there, or a step cannot be done; the sentence says which.
        """
        return build(self, None if cache is None else Path(cache), force=force)

    def __getattr__(self, name: str) -> "Callable[..., Recipe]":
        if name in OPERATIONS:
            return partial(self._then, name)
        raise AttributeError(f"a recipe has no operation '{name}'; see sightline.data.operations.OPERATIONS")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *OPERATIONS]

    def __repr__(self) -> str:
        """Python that makes this recipe."""
        calls = (f".{step.operation}({_keywords(step.arguments)})" for step in self.steps)
        return f"{_source_call(self.source)}{''.join(calls)}"

    def _then(self, operation: str, *args: Any, **kwargs: Any) -> "Recipe":
        return replace(self, steps=(*self.steps, Step.of_call(operation, args, kwargs)))


def _source_call(source: Source) -> str:
    if isinstance(source, MergeSource):
        return f"Recipe.merge([{', '.join(map(repr, source.recipes))}])"
    if isinstance(source, NamedSource):
        return f"Recipe.from_name({_keywords(source.to_json())})"
    value = source.to_json()
    options = value.pop("options", {})
    return f"Recipe.from_path({_keywords(value | options)})"


def _keywords(values: Any) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
