"""One annotation file of Pascal VOC: what it says, and how it is written.

The elements: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html, section 8.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from sightline.errors import SightlineError

CORNERS = ("xmin", "ymin", "xmax", "ymax")

_OWN = ("filename", "folder", "path", "size", "object")  # of an annotation; the rest is its meta
_OWN_OF_OBJECT = ("name", "bndbox", "part")
_ENCODING = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.-]+)""")
_TAG = re.compile(r"[A-Za-z_][\w.-]*")
_UNFIT = re.compile(r"[^\t\n\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # in XML 1.0, or not kept

USUAL = {"pose": "Unspecified", "truncated": 0, "difficult": 0}
"""What readers expect every object to say."""


@dataclass(slots=True)
class VocFile:
    """What an annotation file says. The lists have an element per object.

    ``size`` is (height, width), None where the file does not say. ``corners`` are those of `CORNERS`, in
    pixels as they stand there. ``metas`` and ``meta`` are JSON objects as text.
    """

    image_name: str | None
    size: tuple[int, int] | None
    meta: str | None
    names: list[str] = field(default_factory=list)
    corners: list[list[float]] = field(default_factory=list)
    metas: list[str | None] = field(default_factory=list)
    parts: list[list[tuple[str, list[float]]]] = field(default_factory=list)
    without_box: list[str] = field(default_factory=list)


def read_voc_file(path: str) -> VocFile:
    """Read an annotation file.

    Raises:
        SightlineError: not XML, neither UTF-8 nor of the encoding that it declares, with a document type
            (whose entities can grow without bounds), or an object without a name or with a corner that is no
            number; the sentence names it.
    """
    try:
        text = _text(path)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise SightlineError(f"{path}: declares a document type, which is not read; remove it.")
        root = ElementTree.fromstring(text)  # noqa: S314 (without declarations there is nothing to expand)
        size = root.find("size")
        result = VocFile(
            root.findtext("filename"),
            None if size is None else _size(size.findtext("height"), size.findtext("width")),
            _meta(root, _OWN),
        )
        for number, element in enumerate(root.iterfind("object"), 1):
            _read_object(element, f"{path}: object {number}", result)
    except ElementTree.ParseError as error:
        raise SightlineError(f"{path}: not valid XML ({error}); write the file again.") from None
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from error
    except RecursionError:
        raise SightlineError(f"{path}: is nested too deeply to be an annotation.") from None
    return result


def object_text(name: str, meta: str | None) -> str:
    """An object's elements before its box."""
    return f"\t\t<name>{escaped(name)}</name>\n{_elements(_said(meta, _OWN_OF_OBJECT, USUAL), 2)}"


def annotation_text(image_name: str, height: int, width: int, meta: str | None) -> str:
    """An annotation's elements before its objects."""
    return (
        f"\t<folder>JPEGImages</folder>\n\t<filename>{escaped(image_name)}</filename>\n"
        f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t\t<depth>3</depth>\n\t</size>\n"
        f"{_elements(_said(meta, _OWN, {'segmented': 0}), 1)}"
    )


def escaped(text: str) -> str:
    """Text as it stands in XML.

    Raises:
        SightlineError: control characters, or white space at an end, which XML files do not keep.
    """
    if _UNFIT.search(text) or text != text.strip():
        raise SightlineError(f"{text!a}: has characters that a VOC file does not keep; rename it.")
    return escape(text)


def _text(path: str) -> str:
    """The text of a file in UTF-8, which many programs write whatever they declare, else as declared.

    (Left to the parser, a document type in another encoding could not be looked for beforehand.)
    """
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        declared = _ENCODING.match(data)
        if declared is None:
            raise SightlineError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
    encoding = declared[1].decode()
    try:
        return data.decode(encoding)
    except (LookupError, UnicodeError):
        raise SightlineError(f"{path}: not the {encoding} text that it declares; save it as UTF-8.") from None


def _read_object(element: ElementTree.Element, where: str, result: VocFile) -> None:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise SightlineError(f"{where} has no name; add one.")
    box = element.find("bndbox")
    if box is None:
        result.without_box.append(f"{where} ({name})")
        return
    result.names.append(name)
    result.corners.append(_corners(box, f"{where} ({name})"))
    result.metas.append(_meta(element, _OWN_OF_OBJECT))
    parts = []
    for part in element.iterfind("part"):
        part_box = part.find("bndbox")
        if part_box is not None:
            part_name = (part.findtext("name") or "").strip()
            parts.append((part_name, _corners(part_box, f"{where} ({name}), part '{part_name}'")))
    result.parts.append(parts)


def _corners(box: ElementTree.Element, where: str) -> list[float]:
    texts = [box.findtext(corner) for corner in CORNERS]
    try:
        return [float(text) for text in texts]  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        shown = ", ".join(
            f"{c}={'missing' if t is None else t[:20]}" for c, t in zip(CORNERS, texts, strict=True)
        )
        raise SightlineError(f"{where}: bndbox is {shown}; give four numbers.") from None


def _size(height: str | None, width: str | None) -> tuple[int, int] | None:
    try:
        size = round(float(height or 0)), round(float(width or 0))
    except (ValueError, OverflowError):
        return None
    return size if min(size) > 0 and max(size) < 1 << 31 else None


def _meta(element: ElementTree.Element, own: tuple[str, ...]) -> str | None:
    values = _children([child for child in element if child.tag not in own])
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) if values else None


def _children(elements: list[ElementTree.Element]) -> dict[str, Any]:
    """Elements as JSON: text or a number, an object of elements, a list where a tag comes repeatedly."""
    found: dict[str, list[Any]] = {}
    for element in elements:
        children = list(element)
        value = _children(children) if children else _plain((element.text or "").strip())
        found.setdefault(str(element.tag), []).append(value)
    return {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}


def _plain(text: str) -> str | int:
    return (
        int(text)
        if text.isdecimal() and text.isascii() and len(text) < 16 and str(int(text)) == text
        else text
    )


def _said(meta: str | None, own: tuple[str, ...], usual: dict[str, Any]) -> dict[str, Any]:
    """What ``meta`` says, but not what has elements of its ``own``, and what is usual where it is silent."""
    values = {key: value for key, value in json.loads(meta or "{}").items() if key not in own}
    return values | {key: value for key, value in usual.items() if key not in values}


def _elements(values: dict[str, Any], depth: int) -> str:
    indent = "\t" * depth
    texts = []
    for tag, value in values.items():
        if not _TAG.fullmatch(tag):
            continue  # no name of an element
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                texts.append(f"{indent}<{tag}>\n{_elements(each, depth + 1)}{indent}</{tag}>\n")
            else:
                text = str(int(each)) if isinstance(each, bool) else "" if each is None else str(each)
                texts.append(f"{indent}<{tag}>{escape(_UNFIT.sub(' ', text).strip())}</{tag}>\n")
    return "".join(texts)
