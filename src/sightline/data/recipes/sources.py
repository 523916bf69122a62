"""Where a recipe's samples come from: a dataset by name, a folder, or other recipes merged."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.data.formats.opening import check_readable
from sightline.data.info import check_dataset_name, check_version
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.recipes.recipe import Recipe

OWN_FORMAT = "sightline"


@dataclass(frozen=True)
class NamedSource:
    """A dataset as `Dataset.from_name` finds it. Without ``version``: the newest there is."""

    name: str
    version: str | None = None

    def __post_init__(self) -> None:
        check_dataset_name(self.name)
        if self.version is not None:
            check_version(self.version)

    def __str__(self) -> str:
        """``"digits"`` or ``"digits:1.0.0"``."""
        return self.name if self.version is None else f"{self.name}:{self.version}"

    def to_json(self) -> dict[str, Any]:
        """``{"name": ..., "version": ...}``."""
        return {"name": self.name} | ({"version": self.version} if self.version else {})


@dataclass(frozen=True)
class FolderSource:
    """A file or folder on this machine, in one of the formats that `Dataset.from_format` reads.

    ``options`` are those of the format's reader.
    """

    path: str
    format: str = OWN_FORMAT
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_readable(self.format, self.options)

    def to_json(self) -> dict[str, Any]:
        """``{"path": ..., "format": ..., "options": ...}``, without what is at its default."""
        result: dict[str, Any] = {"path": self.path}
        if self.format != OWN_FORMAT:
            result["format"] = self.format
        if self.options:
            result["options"] = self.options
        return result

    def __hash__(self) -> int:
        return hash((self.path, self.format, json.dumps(self.options, sort_keys=True)))


@dataclass(frozen=True)
class MergeSource:
    """Several recipes, built and merged in this order."""

    recipes: "tuple[Recipe, ...]"

    def __post_init__(self) -> None:
        if len(self.recipes) < 2:
            raise SightlineError("a merge needs two recipes or more.")

    def to_json(self) -> dict[str, Any]:
        """``{"merge": [...]}``."""
        return {"merge": [recipe.to_value() for recipe in self.recipes]}


Source = NamedSource | FolderSource | MergeSource


def source_of_json(value: Any, where: str) -> Source:
    """The source that ``value`` describes; ``where`` begins an error's sentence.

    ``"digits"`` and ``"digits:1.0.0"`` are short for a name, and a name with a version.

    Raises:
        SightlineError: a value of another shape, or a name, version or format that cannot be.
    """
    from sightline.data.recipes.recipe import Recipe

    if isinstance(value, str):
        name, _, version = value.partition(":")
        value = {"name": name} | ({"version": version} if version else {})
    if not isinstance(value, dict):
        raise SightlineError(f"{where}: a source is a name or an object, not {json.dumps(value)}.")
    try:
        if "merge" in value:
            _only(value, {"merge"}, where)
            parts = value["merge"]
            if not isinstance(parts, list):
                raise SightlineError("'merge' must be a list of recipes.")
            return MergeSource(
                tuple(Recipe.from_value(part, f"{where}.merge[{n}]") for n, part in enumerate(parts))
            )
        if "path" in value:
            _only(value, {"path", "format", "options"}, where)
            options = value.get("options", {})
            if not isinstance(options, dict):
                raise SightlineError("'options' must be an object of names and values.")
            return FolderSource(_text(value, "path"), value.get("format", OWN_FORMAT), options)
        if "name" in value:
            _only(value, {"name", "version"}, where)
            return NamedSource(_text(value, "name"), value.get("version") and _text(value, "version"))
    except SightlineError as error:
        sentence = str(error)
        raise SightlineError(sentence if sentence.startswith(where) else f"{where}: {sentence}") from None
    raise SightlineError(f"{where}: a source has one of 'name', 'path' and 'merge'.")


def _only(value: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(value) - known)
    if unknown:
        raise SightlineError(f"{where}: '{unknown[0]}' is not one of {', '.join(sorted(known))}.")


def _text(value: dict[str, Any], key: str) -> str:
    if not isinstance(value[key], str) or not value[key]:
        raise SightlineError(f"'{key}' must be text.")
    return value[key]
