"""Settings: typed groups of them, components named by import path, YAML with a line for every mistake.

A `Config` class says which keys there are; `load` reads one from YAML, with overrides; a `Component` in it
names a class or function, and `build` calls it.
"""

from sightline.config.building import build, check
from sightline.config.component import Component, component
from sightline.config.describe import Key, describe
from sightline.config.difference import ABSENT, Change, difference
from sightline.config.importing import class_path_of, import_object
from sightline.config.loading import load, load_text
from sightline.config.model import Config, place_of
from sightline.config.type_argument import config_type
from sightline.config.wording import TypeName
from sightline.config.yaml_writing import to_yaml

__all__ = [
    "ABSENT",
    "Change",
    "Component",
    "Config",
    "Key",
    "TypeName",
    "build",
    "check",
    "class_path_of",
    "component",
    "config_type",
    "describe",
    "difference",
    "import_object",
    "load",
    "load_text",
    "place_of",
    "to_yaml",
]
