"""Settings as a YAML text that reads well, and gives equal settings back."""

from typing import Any

import yaml

from sightline.config.model import Config
from sightline.config.placed_error import PlacedError
from sightline.config.plain import plain
from sightline.config.source import Origin, Source
from sightline.config.yaml_reading import FLOAT, INTEGER, NOT_FINITE

_WIDTH = 100  # characters, beyond which a list of scalars goes on lines of its own


def to_yaml(config: Config) -> str:
    """The settings as YAML, in the order in which the class declares them, defaults written out.

    `load_text` gives an equal object back, and other YAML readers the same values.

    Raises:
        SightlineError: a value inside cannot be written in YAML.
    """
    try:
        values = plain(config)
    except PlacedError as problem:
        raise problem.error(Origin(Source(type(config).__name__))) from None
    return _dumped(values, flow=False)


def on_one_line(value: Any) -> str:
    """A value as YAML on one line."""
    text = _dumped(plain(value), flow=True)
    return text.removesuffix("...\n").strip()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, *_: Any, **__: Any) -> None:
        super().increase_indent(flow, indentless=False)


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    lines = value.split("\n")
    style = None
    if not all(line.isprintable() for line in lines) or (dumper.default_flow_style and len(lines) > 1):
        style = '"'  # with escapes
    elif (
        len(lines) > 1
        and value.strip()
        and value[0] not in " \n"
        and lines == [line.rstrip() for line in lines]
    ):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: _Dumper, value: list[Any]) -> yaml.Node:
    short = all(item is None or isinstance(item, (bool, int, float, str)) for item in value)
    flow = dumper.default_flow_style or (short and len(str(value)) < _WIDTH)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
# Text that YAML 1.1 reads as something else is quoted already; so is what our own reading takes for a number.
for _tag, _pattern in (("int", INTEGER), ("float", FLOAT), ("float", NOT_FINITE)):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list("-+.0123456789"))


def _dumped(values: Any, flow: bool) -> str:
    width = 1_000_000  # long text is not folded
    return yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=flow
    )
