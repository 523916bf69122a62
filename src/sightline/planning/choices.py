"""A spec as a list of choices, each with its reason, and as YAML with the reasons as comments."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sightline.config.yaml_writing import on_one_line

_WIDTH = 108  # characters of a line of the heading
_LONGEST = 64  # characters of a line whose comment stands in the column of the others


@dataclass(frozen=True)
class Choice:
    """A value of a spec and why it is that: ``key`` is its path, such as ``trainer.ema`` or, of the first
    entry of a list, ``task.init_args.augment.0``."""

    key: str
    value: Any
    reason: str


def spec_of(choices: Sequence[Choice]) -> dict[str, Any]:
    """The values as a spec has them, in the order of the choices."""
    spec: dict[str, Any] = {}
    for choice in choices:
        keys = choice.key.split(".")
        last: str = keys[-1]
        place: Any = spec
        for key, following in pairwise(keys):
            place = place.setdefault(key, [] if following.isdecimal() else {})
        if isinstance(place, list):
            assert int(last) == len(place), f"entries of {choice.key} are not in order"
            place.append(choice.value)
        else:
            assert last not in place, f"{choice.key} is chosen twice"
            place[last] = choice.value
    return spec


def spec_yaml(choices: Sequence[Choice], heading: Sequence[str]) -> str:
    """The spec as YAML, each value with its reason beside it, below ``heading`` as comments."""
    reasons = {choice.key: choice.reason for choice in choices}
    lines = list(_lines(spec_of(choices), "", "", reasons))
    column = max((len(text) for text, _ in lines if len(text) <= _LONGEST), default=0) + 2
    written = [f"{text:<{column}}# {reason}" if reason else text for text, reason in lines]
    written = [
        line if len(text) < column or not reason else f"{text}  # {reason}"
        for line, (text, reason) in zip(written, lines, strict=True)
    ]
    comments = [part for line in heading for part in textwrap.wrap(line, _WIDTH, subsequent_indent="  ")]
    return "\n".join([*(f"# {comment}" for comment in comments), *written, ""])


def _lines(value: Any, path: str, indent: str, reasons: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each line of the YAML without its comment, and that."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        place = f"{path}{key}"
        name = f"{key}:" if isinstance(value, dict) else "-"
        if place in reasons:
            yield f"{indent}{name} {on_one_line(inner)}", reasons[place]
        else:
            yield f"{indent}{name}", ""
            yield from _lines(inner, f"{place}.", f"{indent}  ", reasons)
