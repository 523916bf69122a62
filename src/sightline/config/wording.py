"""How messages put values, types and near misses into words."""

import difflib
import math
import reprlib
import types
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import annotated_types

_LONGEST = 60  # characters of a value shown in a message
_MOST_NAMES = 12  # names listed in a message

_NAMES: dict[Any, str] = {
    Any: "anything",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    dict: "mapping",
}
_LIMITS = (
    (annotated_types.Gt, "gt", ">"),
    (annotated_types.Ge, "ge", ">="),
    (annotated_types.Lt, "lt", "<"),
    (annotated_types.Le, "le", "<="),
    (annotated_types.MultipleOf, "multiple_of", "a multiple of"),
    (annotated_types.MinLen, "min_length", "of length >="),
    (annotated_types.MaxLen, "max_length", "of length <="),
)


@dataclass(frozen=True)
class TypeName:
    """What people call a type, in messages and in the reference: ``Annotated[str, TypeName("colour")]``.

    A class of one's own can carry the name instead: ``type_name: ClassVar[str] = "duration"``.
    """

    name: str


def did_you_mean(word: Any, known: Iterable[Any]) -> str:
    """``"; did you mean 'optimizer'?"``, or nothing where no known word is near."""
    names = [str(name) for name in known]
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(str(word).lower(), lowered, n=1)
    return f"; did you mean '{lowered[near[0]]}'?" if near else ""


def instead(word: Any, known: Iterable[Any], taken: Container[Any] = (), verb: str = "has") -> str:
    """The near miss among the known words, or else those that are not yet taken."""
    known = list(known)
    names = [str(name) for name in known if name not in taken]
    listed = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return did_you_mean(word, known) or f"; it {verb} {listed or 'no more'}."


def shown(value: Any, longest: int = _LONGEST) -> str:
    """A value as a spec would write it, short enough for a sentence."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, Mapping):
        text = f"{{{', '.join(f'{key}: {shown(item)}' for key, item in value.items())}}}"
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(shown, value))}]"
    elif isinstance(value, (str, int, float, Enum)):
        text = repr(value.value if isinstance(value, Enum) else value)
    elif isinstance(value, PurePath):
        text = repr(str(value))
    elif class_path := getattr(value, "class_path", None):
        text = str(class_path)
    else:
        text = reprlib.repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def type_name(annotation: Any) -> str:
    """A type as people say it: ``int | None`` is ``"whole number or null"``."""
    own = getattr(annotation, "type_name", None) if isinstance(annotation, type) else None
    if isinstance(own, str):
        return own
    if isinstance(annotation, TypeVar):
        return type_name(annotation.__bound__ or Any)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated_name(args[0], annotation.__metadata__)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(type_name, sorted(args, key=lambda arg: arg is type(None)))))
    if origin is Literal:
        return _one_of(args)
    if isinstance(origin, type):
        return _generic_name(origin, args)
    return _class_name(annotation)


def _annotated_name(annotation: Any, metadata: Sequence[Any]) -> str:
    metadata = list(_flat(metadata))
    named = [item.name for item in metadata if isinstance(item, TypeName)]
    if named:
        return named[-1]
    limits = [
        f"{sign} {getattr(m, field)}"
        for m in metadata
        for kind, field, sign in _LIMITS
        if isinstance(m, kind)
    ]
    return " ".join([type_name(annotation), " and ".join(limits)]).strip()


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    """Each limit alone, out of `pydantic.Field` and groups such as `annotated_types.Interval`."""
    for item in metadata:
        nested = getattr(item, "metadata", item)
        if isinstance(nested, (list, tuple, annotated_types.GroupedMetadata)):
            yield from _flat(nested)
        else:
            yield item


def _generic_name(origin: type, args: Sequence[Any]) -> str:
    if origin is tuple and args[-1] is not Ellipsis:
        return f"[{', '.join(map(type_name, args))}]"
    if issubclass(origin, Mapping):
        return f"mapping of {type_name(args[0])} to {type_name(args[1])}"
    if issubclass(origin, Callable) or issubclass(origin, type):
        return "class_path"
    if issubclass(origin, (Sequence, AbstractSet)):
        return f"list of {type_name(args[0])}"
    return _class_name(origin)


def _class_name(annotation: Any) -> str:
    if annotation is Callable or annotation is type:
        return "class_path"
    if annotation in _NAMES:
        return _NAMES[annotation]
    if not isinstance(annotation, type):
        return str(annotation)
    if issubclass(annotation, Enum):
        values = (member.value for member in annotation)
        return _one_of(
            [m if isinstance(m, (str, int)) else n.name for m, n in zip(values, annotation, strict=True)]
        )
    if issubclass(annotation, PurePath):
        return "path"
    if issubclass(annotation, (list, tuple, set, frozenset)):
        return "list"
    return annotation.__name__


def _one_of(values: Sequence[Any]) -> str:
    words = ", ".join("null" if value is None else str(value) for value in values)
    return words if len(values) == 1 else f"one of {words}"
