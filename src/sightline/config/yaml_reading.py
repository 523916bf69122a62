"""YAML as specifications use it: the words of YAML 1.2, and a line for every value.

Text stays text unless it is plainly a number, ``true``, ``false`` or ``null``: ``no``, ``on``, ``0o10``,
``1:30`` and dates are text, and ``1e-3`` is a number. See https://yaml.org/spec/1.2.2/#103-core-schema.
"""

import re
from typing import Any

import yaml

from sightline.config.source import Key, Path, Source
from sightline.config.wording import did_you_mean
from sightline.config.yaml_syntax import syntax_error
from sightline.errors import SightlineError

DEFINITIONS = "definitions"
"""The top-level key below which anchors are defined; it is no part of the value."""

WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")
NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$")

_MOST_VALUES = 100_000  # aliases multiply: ten lines can stand for a billion values
_DEEPEST = 60  # levels
_MERGE = "<<"


def read_yaml(text: str, source: Source) -> Any:
    """The value of a YAML text; the place of each value in it goes to ``source``.

    A mapping under the top-level key ``definitions`` is left out: it is where anchors live.

    Raises:
        SightlineError: not YAML, or more than a specification may use (tags, several documents, keys that
            are lists, an anchor that contains itself), a key that is there twice, or a definition that
            nothing refers to. The sentence names the line.
    """
    try:
        loader = _Loader(text, source)
        node = loader.get_single_node()
        if node is None:
            return None
        reading = _Reading(loader, source)
        value = reading.value(node, (), (), node.start_mark)
        if isinstance(node, yaml.MappingNode):
            value = reading.without_definitions(node, value)
        return value
    except yaml.MarkedYAMLError as error:
        raise syntax_error(error, source) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SightlineError(
            f"{source.at(line)}: the character U+{error.character:04X} is not allowed in YAML; remove it."
        ) from None
    except RecursionError:
        raise SightlineError(f"{source.name}: nested too deeply; use at most {_DEEPEST} levels.") from None


class _Alias(yaml.Node):
    """Where ``*name`` stands."""

    def __init__(self, name: str, node: yaml.Node, mark: yaml.Mark) -> None:
        super().__init__("", None, mark, mark)
        self.name, self.node = name, node


class _Loader(yaml.SafeLoader):
    """Composes nodes, without the types of YAML 1.1; remembers anchors and who refers to them."""

    def __init__(self, text: str, source: Source) -> None:
        super().__init__(text)
        self._source = source
        self.named: dict[str, yaml.Node] = {}
        self.used: set[str] = set()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if not isinstance(event, yaml.AliasEvent):
            anchor = getattr(event, "anchor", None)
            node = super().compose_node(parent, index)
            if anchor is not None and node is not None:
                self.named[anchor] = node
            return node
        if event.anchor not in self.anchors:
            near = did_you_mean(event.anchor, self.anchors) or f"; define it as &{event.anchor}."
            place = self._source.at(event.start_mark.line + 1)
            raise SightlineError(f"{place}: '*{event.anchor}' refers to nothing that is defined above{near}")
        self.get_event()
        self.used.add(event.anchor)
        return _Alias(event.anchor, self.anchors[event.anchor], event.start_mark)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:  # noqa: ARG002
        """No tag: a node that has one after all was written with it."""
        return ""


class _Reading:
    """Turns nodes into values, keeping track of places."""

    def __init__(self, loader: _Loader, source: Source) -> None:
        self._loader = loader
        self._source = source
        self._count = 0

    def value(self, node: yaml.Node, path: Path, inside: tuple[int, ...], mark: yaml.Mark) -> Any:
        """The value of ``node``, that stands at ``mark``; ``inside`` are the nodes around it."""
        if isinstance(node, _Alias):
            if id(node.node) in inside:
                raise self._error(mark, f"the anchor '{node.name}' contains itself; write the value out.")
            return self.value(node.node, path, inside, mark)
        if path:
            self._source.places[path] = mark.line + 1
        self._count_at(mark)
        if len(inside) > _DEEPEST:
            raise self._error(mark, f"nested too deeply; use at most {_DEEPEST} levels.")
        if node.tag:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._error(mark, f"the tag {tag} is not used here; remove it (text goes in quotes).")
        inside = (*inside, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, inside)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self.value(item, (*path, n), inside, item.start_mark) for n, item in items]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path, inside: tuple[int, ...]) -> dict[Any, Any]:
        return {
            key: self.value(value, (*path, key), inside, mark)
            for key, (mark, value) in self._entries(node, inside).items()
        }

    def _entries(
        self, node: yaml.MappingNode, inside: tuple[int, ...]
    ) -> dict[Key, tuple[yaml.Mark, yaml.Node]]:
        """By key: where it is, and the node of its value. Own keys win over merged ones."""
        entries: dict[Key, tuple[yaml.Mark, yaml.Node]] = {}
        merges: list[yaml.Node] = []
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            if key_node.value == _MERGE and key_node.style is None:
                merges.append(value_node)
                continue
            self._count_at(mark)
            key = self._key(key_node)
            if key in entries:
                first = entries[key][0].line + 1
                raise self._error(mark, f"the key '{key}' is here twice, first in line {first}; remove one.")
            entries[key] = (mark, value_node)
        for merge in merges:
            for mapping in self._merged(merge):
                if id(mapping) in inside:
                    raise self._error(merge.start_mark, "'<<' merges a mapping into itself; remove it.")
                for key, entry in self._entries(mapping, (*inside, id(mapping))).items():
                    entries.setdefault(key, entry)
        return entries

    def _merged(self, node: yaml.Node) -> list[yaml.MappingNode]:
        target = _target(node)
        parts = target.value if isinstance(target, yaml.SequenceNode) else [target]
        mappings = [part for part in map(_target, parts) if isinstance(part, yaml.MappingNode)]
        if len(mappings) < len(parts):
            raise self._error(node.start_mark, "'<<' takes a mapping, or a list of mappings.")
        return mappings

    def _key(self, node: yaml.Node) -> Any:
        node = _target(node)
        if isinstance(node, yaml.ScalarNode) and not node.tag:
            key = self._scalar(node)
            if isinstance(key, (str, int, float)) and not isinstance(key, bool):
                return key
        raise self._error(node.start_mark, "a key must be text or a number; put it in quotes.")

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = node.value
        if node.style is not None:
            return text
        if text in WORDS:
            return WORDS[text]
        if INTEGER.match(text):
            try:
                return int(text)
            except ValueError:
                raise self._error(
                    node.start_mark, "a number of this length is not read; put it in quotes."
                ) from None
        if FLOAT.match(text):
            return float(text)
        return float(text.replace(".", "", 1)) if NOT_FINITE.match(text) else text

    def without_definitions(self, node: yaml.MappingNode, value: dict[Any, Any]) -> dict[Any, Any]:
        """``value`` without its definitions, each of which must be of use."""
        block = next((v for k, v in node.value if k.value == DEFINITIONS), None)
        if block is None:
            return value
        definitions = value.pop(DEFINITIONS)
        if not isinstance(block, yaml.MappingNode):
            if definitions is None:
                return value
            raise self._error(
                block.start_mark, "'definitions' must be a mapping of anchors, as `size: &size 32`."
            )
        for key, entry in block.value:
            anchors = [name for name, found in self._loader.named.items() if _is_within(found, entry)]
            unused = [name for name in anchors if name not in self._loader.used]
            if not anchors:
                raise self._error(
                    key.start_mark,
                    f"the definition '{key.value}' has no anchor; "
                    f"write `{key.value}: &{key.value} ...`, or remove it.",
                )
            if unused:
                mark = self._loader.named[unused[0]].start_mark
                raise self._error(
                    mark,
                    f"nothing refers to the definition '{unused[0]}'; use it as *{unused[0]}, or remove it.",
                )
        return value

    def _count_at(self, mark: yaml.Mark) -> None:
        self._count += 1
        if self._count > _MOST_VALUES:
            raise self._error(
                mark, f"more than {_MOST_VALUES} values, aliases counted each time; write less."
            )

    def _error(self, mark: yaml.Mark, message: str) -> SightlineError:
        return SightlineError(f"{self._source.at(mark.line + 1)}: {message}")


def _target(node: yaml.Node) -> yaml.Node:
    return node.node if isinstance(node, _Alias) else node


def _is_within(node: yaml.Node, outer: yaml.Node) -> bool:
    return outer.start_mark.index <= node.start_mark.index and node.end_mark.index <= outer.end_mark.index
