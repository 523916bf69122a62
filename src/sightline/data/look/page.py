"""A page for the browser: one file that opens without a server and asks nobody for anything."""

import base64
import hashlib
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sightline.data.look.thumbnails import drawn_samples, thumbnail
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Primitive, Segmentation
from sightline.data.primitives.drawing import Plate, class_colour, overlap
from sightline.data.primitives.outline import trace_edges
from sightline.data.sample import Sample
from sightline.data.splits import SPLITS
from sightline.errors import SightlineError
from sightline.files import written_whole

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_SEARCHED = 12  # with more classes than this there is a field to search them by


def write_page(
    dataset: "Dataset",
    path: str | Path,
    n: int = 100,
    seed: int = 0,
    split: str | None = None,
    side: int = 480,
    progress: bool = True,
) -> Path:
    """Write ``n`` samples, drawn at random, with their annotations as one HTML file, and return its path.

    The page has its pictures within itself, shows and hides classes and splits, and works from a disk,
    an e-mail or a web server. Each sample adds some 30 KB.

    Args:
        dataset: what to show.
        path: the file to write, named .html.
        n: how many samples; all where there are fewer.
        seed: the same samples for the same seed.
        split: only samples of this one.
        side: longest side of the pictures in pixels.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no samples, a number that is out of range, another file name, or an image that
            cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise SightlineError(f"{path}: name the page .html.")
    if not 32 <= side <= 4096:
        raise SightlineError(f"side is {side}; give 32 to 4096 pixels.")
    classes = _Classes(dataset)
    cards = drawn_samples(dataset, n, seed, split, lambda sample: _card(sample, side, classes), progress)
    made = list(cards)
    shown = Counter(key for _, _, keys in made for key in keys)
    content = _page(dataset, [card for card, _, _ in made], Counter(s for _, s, _ in made), classes, shown)
    with written_whole(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return path


class _Classes:
    """A number for each class of each task, by which the page knows it."""

    def __init__(self, dataset: "Dataset") -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        for task in dataset.info.tasks:
            for name in task.class_names or ():
                self.number(task.name, name)

    def number(self, task_name: str, class_name: str) -> int:
        """The number of a class; a new one for one that no task lists."""
        return self.numbers.setdefault((task_name, class_name), len(self.numbers))

    def of(self, annotation: Primitive) -> tuple[int, str]:
        """Number and name of an annotation's class."""
        name = annotation.class_name
        if name is None:
            name = "-" if annotation.class_idx is None else str(annotation.class_idx)
        return self.number(annotation.task_name, name), name


Card = tuple[str, str, list[int]]
"""The HTML of a sample, its split, and the numbers of the classes of its annotations."""


def _card(sample: Sample, side: int, classes: _Classes) -> Card:
    pixels = thumbnail(sample, side)
    height, width = pixels.shape[:2]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=82)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    keys, shapes, said, labels = [], [], [], []
    for annotation in sample.annotations():
        key, name = classes.of(annotation)
        keys.append(key)
        if isinstance(annotation, Classification):
            said.append(_said(annotation, key, name))
            continue
        shape, label = _shape(annotation, key, name, sample, (width, height))
        shapes.append(shape)
        if isinstance(annotation, Segmentation):
            said.append(_said(annotation, key, name))
        else:
            labels.append(label)
    texts = _texts(labels, (width, height))
    name = Path(sample.file_path or "").name
    html = (
        f'<figure data-split="{escape(sample.split)}" data-classes="{" ".join(map(str, sorted(set(keys))))}">'
        f'<button class="picture" aria-label="Enlarge {escape(name)}">'
        f'<svg viewBox="0 0 {width} {height}"><image width="{width}" height="{height}" '
        f'href="data:image/jpeg;base64,{data}"/>{"".join(shapes)}{texts}</svg></button>'
        f'<figcaption><div class="where"><span class="badge">{escape(sample.split)}</span>'
        f'<span>{sample.sample_index}</span><span class="file" title="{escape(name)}">{escape(name)}</span>'
        f'<span class="size">{sample.width} x {sample.height}</span></div>'
        f'{f"""<div class="said">{"".join(said)}</div>""" if said else ""}</figcaption></figure>'
    )
    return html, sample.split, keys


def _said(annotation: Primitive, key: int, name: str) -> str:
    text = annotation.label()
    if isinstance(annotation, Classification) and annotation.task_name != "image_classification":
        text = f"{annotation.task_name}: {text}"
    return f'<span data-k="{key}" style="{_colour(name)}"><i class="swatch"></i>{escape(text)}</span>'


@dataclass(frozen=True)
class _Label:
    text: str
    key: int
    corner: tuple[float, float]


def _shape(
    annotation: Primitive, key: int, name: str, sample: Sample, size: tuple[int, int]
) -> tuple[str, _Label]:
    """An annotation as SVG on a picture of ``size`` (width, height), with its attributes, and its label."""
    inner = [
        f'<g class="a" style="{_colour(str(attribute.class_name))}">'
        f"{_outline(attribute, sample, size)[0]}</g>"
        for name_of_list in ("bitmasks", "polygons", "bboxes")
        for attribute in getattr(annotation, name_of_list) or ()
    ]
    drawn, corner = _outline(annotation, sample, size)
    label = _Label(" ".join(annotation.label().split()), key, corner)
    title = f"<title>{escape(annotation.task_name)}: {escape(label.text)}</title>"
    html = f'<g class="a" data-k="{key}" style="{_colour(name)}">{drawn}{"".join(inner)}{title}</g>'
    return html, label


def _outline(annotation: Primitive, sample: Sample, size: tuple[int, int]) -> tuple[str, tuple[float, float]]:
    """The shape alone, and its top left corner."""
    width, height = size
    if isinstance(annotation, Bbox):
        left, top, right, bottom = annotation.to_pixels(width, height)
        box = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
        return f"<rect {box}/>", (left, top)
    if isinstance(annotation, Polygon):
        points = annotation.to_pixels(width, height)
        corner = min((x for x, _ in points), default=0.0), min((y for _, y in points), default=0.0)
        return f'<polygon points="{_points(points)}"/>', corner
    assert isinstance(annotation, Bitmask)
    mask = Image.fromarray(annotation.to_mask(sample.height, sample.width).astype(np.uint8) * 255)
    # Averaged, so that what is thinner than a pixel of the picture is still seen.
    outlines = trace_edges(np.asarray(mask.resize(size, Image.Resampling.BOX)) > 96)
    corner = annotation.left / sample.width * width, annotation.top / sample.height * height
    return f'<path d="{"".join(f"M{_points(outline)}z" for outline in outlines)}"/>', corner


def _texts(labels: list[_Label], size: tuple[int, int]) -> str:
    """The labels; the small picture leaves out those in whose place another is that says more."""
    taken: list[Plate] = []
    texts = []
    for label in sorted(labels, key=lambda label: -len(label.text)):
        length = 7 * len(label.text)
        x = max(2, min(round(label.corner[0]) + 3, size[0] - length))
        y = max(12, min(round(label.corner[1]) + 12, size[1] - 4))
        plate = (x, y - 11, x + length, y + 2)
        crowded = any(overlap(plate, other) for other in taken)
        if not crowded:
            taken.append(plate)
        shown = ' class="crowded"' if crowded else ""
        texts.append(f'<text data-k="{label.key}"{shown} x="{x}" y="{y}">{escape(label.text)}</text>')
    return "".join(texts)


def _points(points: Iterable[Iterable[float]]) -> str:
    return " ".join(",".join(f"{value:.1f}".removesuffix(".0") for value in point) for point in points)


def _colour(name: str) -> str:
    return "--c:#{:02x}{:02x}{:02x}".format(*class_colour(name))


def _page(
    dataset: "Dataset",
    cards: list[str],
    splits: Counter[str],
    classes: _Classes,
    shown: Counter[int],
) -> str:
    theme, style, script = (
        files("sightline.data.look").joinpath(name).read_text("utf-8")
        for name in ("theme.css", "page.css", "page.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    # Only this script runs, and nothing is fetched, whatever may stand in the dataset.
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    title = escape(f"{dataset.info.dataset_title or dataset.info.dataset_name} {dataset.info.version}")
    split_filters = "".join(
        _filter(f'data-split="{split}"', split, splits[split]) for split in SPLITS if splits[split]
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title><style>{theme}{style}</style><style id="off"></style></head><body>
<header><h1>{title}</h1><p><span id="shown">{len(cards)}</span> of {len(dataset):,} samples shown</p>
<div class="tools"><button id="labels">Labels</button><button id="theme">Light / dark</button></div></header>
<div class="layout"><aside><h2>Splits</h2>{split_filters}{_class_filters(classes, shown)}</aside>
<main>{"".join(cards)}<p id="none" class="none" hidden>No sample is left by these filters.</p></main></div>
<dialog><div class="bar"><span></span><button data-step="-1">Previous</button>
<button data-step="1">Next</button><button id="close">Close</button></div>
<div class="picture"></div></dialog>
<script>{script}</script></body></html>
"""


def _class_filters(classes: _Classes, shown: Counter[int]) -> str:
    """Of each task the classes that occur, the frequent ones first."""
    by_task: dict[str, list[tuple[int, str]]] = {}
    for (task, name), key in classes.numbers.items():
        if shown[key]:
            by_task.setdefault(task, []).append((key, name))
    parts = ["<h2>Classes</h2>"]
    if sum(map(len, by_task.values())) > _SEARCHED:
        parts.append('<input type="search" id="search" placeholder="Find a class" aria-label="Find a class">')
    parts.append(
        '<div class="row"><button data-check="all">All</button><button data-check="none">None</button></div>'
    )
    parts.append(
        '<label class="filter"><input type="checkbox" id="only-with">Only samples with these</label>'
    )
    for task, entries in by_task.items():
        parts.append(f"<h2>{escape(task)}</h2>")
        for key, name in sorted(entries, key=lambda entry: (-shown[entry[0]], entry[1])):
            parts.append(_filter(f'data-class="{key}"', name, shown[key], _colour(name)))
    return "".join(parts)


def _filter(attribute: str, name: str, count: int, style: str = "") -> str:
    swatch = '<i class="swatch"></i>' if style else ""
    return (
        f'<label class="filter" style="{style}"><input type="checkbox" {attribute} checked>{swatch}'
        f'<span class="name" title="{escape(name)}">{escape(name)}</span>'
        f'<span class="count">{count:,}</span></label>'
    )
