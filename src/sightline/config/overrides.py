"""One value of a specification, given on the command line: ``trainer.max_duration=3ep``."""

from typing import Any

from pydantic import BaseModel

from sightline.config.component import Component
from sightline.config.importing import import_object
from sightline.config.model import Config
from sightline.config.plain import plain
from sightline.config.signatures import signature_of
from sightline.config.source import Path, Source, key_path
from sightline.config.tree import model_in, type_at
from sightline.config.wording import instead, shown
from sightline.config.yaml_reading import DEFINITIONS, read_yaml
from sightline.errors import SightlineError


def apply_override(config_class: type[Config], values: dict[str, Any], override: str, source: Source) -> None:
    """Change ``values``, which were read from ``source`` to become a ``config_class``.

    What is not among the values but has a default in the class can be reached too.

    Raises:
        SightlineError: no ``=``, a value that is not YAML, or a path that leads nowhere.
    """
    phrase = f"override '{override}'"
    names, equals, text = override.partition("=")
    *parents, last = names.strip().split(".")
    if not equals or not all((*parents, last)):
        raise SightlineError(f"{phrase}: write it as key.path=value, such as optimizer.lr=1e-3.")
    try:
        place = _Place(values, config_class, ())
        for name in parents:
            place = place.into(name)
        path = place.set(last, read_yaml(text, Source(phrase, has_lines=False)))
    except LookupError as error:
        raise SightlineError(f"{phrase}: {error.args[0]}") from None
    source.replace(path, phrase)


class _Place:
    """A place among the values, on the way to the one that is set. It raises LookupError with a sentence."""

    def __init__(self, value: Any, annotation: Any, path: Path) -> None:
        self.value = value
        self.annotation = annotation
        self.model = model_in(annotation) if isinstance(value, dict) else None
        if isinstance(value, dict) and "class_path" in value:
            self.model = self.annotation = Component
        self.path = path

    def into(self, name: str) -> "_Place":
        """The place ``name`` below this one."""
        place = self._past_init_args(name)
        key = place._key(name)
        below = type_at(place.annotation, (key,))
        if place.model is Component and key == "init_args":
            below = _arguments_type(place.value) or below
        if place.model is not None and place.value.get(key) is None:
            place.value[key] = _default(place.model, name)
        place._check_there(key)
        return _Place(place.value[key], below, (*place.path, key))

    def set(self, name: str, value: Any) -> Path:
        """Put ``value`` at ``name`` below this one; gives the path."""
        place = self._past_init_args(name)
        key = place._key(name)
        if place.model is None and place.path[-1:] != ("init_args",):
            place._check_there(key)
        place.value[key] = value
        return (*place.path, key)

    def _check_there(self, key: Any) -> None:
        if isinstance(self.value, dict) and key not in self.value:
            raise LookupError(f"{self} has no '{key}'{instead(key, self.value)}")

    def _past_init_args(self, name: str) -> "_Place":
        skip = self.model is Component and name not in Component.model_fields
        return self.into("init_args") if skip else self

    def _key(self, name: str) -> Any:
        if isinstance(self.value, dict):
            if self.model is not None and name not in self.model.model_fields:
                if name == DEFINITIONS and not self.path:
                    raise LookupError(
                        "definitions are used up when the file is read; set the keys that use it."
                    )
                raise LookupError(f"{self} has no '{name}'{instead(name, self.model.model_fields)}")
            keys = {str(key): key for key in self.value}
            return keys.get(name, name)
        if not isinstance(self.value, list):
            raise LookupError(
                f"{self} is {shown(self.value)}, with nothing in it; set all of {self} instead."
            )
        if not name.isdecimal() or int(name) >= len(self.value):
            count = len(self.value)
            raise LookupError(f"{self} has no item '{name}'; it has {count}, counted from 0.")
        return int(name)

    def __str__(self) -> str:
        return f"'{key_path(self.path)}'" if self.path else "the specification"


def _arguments_type(component: dict[str, Any]) -> type[Config] | None:
    """The config that a component's arguments are the fields of; None where they are of no config."""
    try:
        return signature_of(import_object(component["class_path"])).config
    except (SightlineError, KeyError, TypeError):
        return None  # whoever builds it says what is wrong with it


def _default(model: type[BaseModel], name: str) -> Any:
    """What the field holds where nothing is written, as it would be written."""
    field = model.model_fields[name]
    if field.is_required():
        nested = model_in(field.annotation)
        return {} if nested is not None and nested is not Component else None
    return plain(field.get_default(call_default_factory=True, validated_data={}))
