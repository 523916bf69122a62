"""From JSON to typed entries, with errors that name the file and the entry."""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from sightline.errors import SightlineError

T = TypeVar("T")

_BLOCK = 20_000  # entries that exist as objects at once

Number = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Pixels = Annotated[int, Meta(ge=1, le=2**31)]
Counts = Annotated[list[Annotated[int, Meta(ge=0, le=2**40)]], Meta(min_length=1)]


class Rle(Struct, gc=False):
    """A mask as run lengths: compressed text, or a list of numbers. ``size`` is height, width."""

    size: tuple[Pixels, Pixels]
    counts: str | Counts


class Annotation(Struct, gc=False, forbid_unknown_fields=True):
    """An entry of ``annotations``, or of a results file."""

    image_id: Number
    category_id: Number
    id: Number | None = None
    bbox: Annotated[list[float], Meta(max_length=4)] | None = None
    area: Annotated[float, Meta(ge=0)] | None = None
    iscrowd: Literal[0, 1] | bool | None = 0
    segmentation: list[list[float]] | Rle | None = None
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    object_id: str | None = None


class _AnyAnnotation(Annotation, gc=False, forbid_unknown_fields=False):
    """An annotation that has other keys too."""


class Image(Struct, gc=False):
    """An entry of ``images``, as far as it must be understood."""

    id: Number
    file_name: Annotated[str, Meta(min_length=1)]
    height: Pixels | None = None
    width: Pixels | None = None
    license: Any = None
    date_captured: Any = None
    flickr_url: Any = None
    coco_url: Any = None


class Category(Struct):
    """An entry of ``categories``, as far as it must be understood."""

    id: Number
    name: str


def read_json(path: Path) -> bytes:
    """The text of a JSON file, known to be UTF-8, without a byte order mark.

    Raises:
        SightlineError: the file cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        raise SightlineError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from None
    return data.removeprefix(codecs.BOM_UTF8)


def decode(path: Path, data: bytes | Raw, kind: type[T], what: str) -> T:
    """``data`` as ``kind``; ``what`` names it in the sentence of an error.

    Raises:
        SightlineError: not JSON, or not of that kind.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise SightlineError(f"{path}: {_problem(error, what, 0)}.") from None
    except (msgspec.DecodeError, RecursionError):
        _refuse_malformed(path, bytes(data))


def entries(path: Path, items: Sequence[Raw], kind: type[T], what: str) -> list[T]:
    """All of ``items`` as objects of ``kind``; for lists that are not long."""
    return [entry for _, block in _blocks(path, items, kind, what) for entry in block]


def annotation_blocks(
    path: Path, items: Sequence[Raw], what: str
) -> Iterator[tuple[int, list[Annotation], list[str | None] | None]]:
    """The annotations in blocks: the number of the first, the annotations, and their ``meta``.

    ``meta`` is JSON text of ``iscrowd`` (where it is 1) and of all keys that an `Annotation` does not have,
    None where there are neither; the list is None where no annotation of the block has any.

    Raises:
        SightlineError: an annotation that lacks a field, or has one of the wrong type; it is named.
    """
    kind: type[Annotation] = Annotation
    start = 0
    while start < len(items):
        try:
            first, block = next(_blocks(path, items[start : start + _BLOCK], kind, what, start))
        except _UnknownFieldError:
            kind = _AnyAnnotation
            continue
        texts = None
        if kind is _AnyAnnotation or any(annotation.iscrowd for annotation in block):
            others = others_of(path, items[start : start + _BLOCK], Annotation.__struct_fields__)
            metas = [
                {"iscrowd": 1} | other if annotation.iscrowd else other
                for annotation, other in zip(block, others, strict=True)
            ]
            texts = [msgspec.json.encode(meta).decode() if meta else None for meta in metas]
        yield first, block, texts
        start += _BLOCK


def others_of(path: Path, items: Sequence[Raw], known: Sequence[str]) -> list[dict[str, Raw]]:
    """The keys of each item that are not ``known``, with their values as they are in the file."""
    objects = decode(path, _joined(items), list[dict[str, Raw]], "entries")
    return [{key: value for key, value in entry.items() if key not in known} for entry in objects]


class _UnknownFieldError(Exception):
    pass


def _blocks(
    path: Path, items: Sequence[Raw], kind: type[T], what: str, offset: int = 0
) -> Iterator[tuple[int, list[T]]]:
    decoder = msgspec.json.Decoder(list[kind])
    for start in range(0, len(items), _BLOCK):
        text = _joined(items[start : start + _BLOCK])
        try:
            yield offset + start, decoder.decode(text)
        except msgspec.ValidationError as error:
            if str(error).startswith("Object contains unknown field"):
                raise _UnknownFieldError from None
            raise SightlineError(f"{path}: {_problem(error, what, offset + start)}.") from None
        except msgspec.DecodeError:
            _refuse_malformed(path, text)


def _joined(items: Sequence[Raw]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _problem(error: msgspec.ValidationError, what: str, offset: int) -> str:
    """``Expected `int`, got `str` - at `$[3].id` `` as ``annotations[3].id: expected int, got str``."""
    message, _, place = str(error).partition(" - at `$")
    place = re.sub(r"^\[(\d+)\]", lambda found: f"[{int(found[1]) + offset}]", place.rstrip("`"))
    message = message.replace("`", "")
    return f"{what}{place}: {message[:1].lower()}{message[1:]}"


def _refuse_malformed(path: Path, data: bytes) -> NoReturn:
    """Say where JSON is broken, or which number in it is none."""
    try:
        content = json.loads(data)
    except ValueError as error:
        raise SightlineError(f"{path}: not valid JSON ({error}); restore the file.") from None
    except RecursionError:
        raise SightlineError(f"{path}: not a COCO file, its JSON is nested too deeply.") from None
    place = _place_of_no_number(content, "")
    raise SightlineError(
        f"{path}: {place or 'the content'} holds a NaN, infinite or too large number; correct it."
    )


def _place_of_no_number(content: Any, place: str) -> str | None:
    """Where the first value is that JSON has no word for, to the depth of ``annotations[3].bbox``."""
    try:
        json.dumps(content, allow_nan=False)
        return None
    except ValueError:
        pass
    if isinstance(content, dict):
        inner = ((f"{place}.{key}" if place else key, value) for key, value in content.items())
    elif isinstance(content, list) and place.count(".") == 0:
        inner = ((f"{place}[{number}]", value) for number, value in enumerate(content))
    else:
        return place
    return next((found for name, value in inner if (found := _place_of_no_number(value, name))), place)
