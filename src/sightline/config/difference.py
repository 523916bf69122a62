"""What differs between two sets of settings."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sightline.config.model import Config
from sightline.config.plain import plain
from sightline.config.source import Path, key_path
from sightline.config.wording import shown


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "(absent)"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""Stands for a value that is not there; a value that is null is None."""


@dataclass(frozen=True)
class Change:
    """One value that differs; it prints as ``optimizer.init_args.lr: 0.001 -> 0.0003``."""

    path: str
    """Where, in the form of an override."""
    old: Any
    """The earlier value as YAML holds it, or `ABSENT`."""
    new: Any
    """The later value as YAML holds it, or `ABSENT`."""

    def __str__(self) -> str:
        return f"{self.path}: {shown(self.old)} -> {shown(self.new)}"


def difference(old: Config | Mapping[str, Any], new: Config | Mapping[str, Any]) -> list[Change]:
    """The values that differ between two configs, or two mappings of settings, in the order of ``old``.

    Lists are compared item by item, by position.
    """
    return list(_changes(plain(old), plain(new), ()))


def _changes(old: Any, new: Any, path: Path) -> Iterator[Change]:
    if isinstance(old, list) and isinstance(new, list):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _changes(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif not _same(old, new):
        yield Change(key_path(path), old, new)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new):
        return True
    return old == new and isinstance(old, bool) == isinstance(new, bool)
