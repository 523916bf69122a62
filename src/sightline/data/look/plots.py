"""Plots of what is in a dataset, as PNG files."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.info import TaskInfo
from sightline.data.look.counting import (
    ObjectSizes,
    class_counts,
    object_sizes,
    object_tasks,
    other_classes,
    pixel_shares,
    shown_classes,
    splits_of,
)
from sightline.data.look.figures import (
    FAINT,
    GRID,
    INK,
    label_apart,
    logarithmic,
    new_figure,
    plain,
    thousands,
)
from sightline.data.primitives import Bbox, Segmentation
from sightline.data.splits import SPLITS
from sightline.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sightline.data.dataset import Dataset

_CLASSES = 40  # bars of a plot; further classes are summed up below
_COLOURS: dict[str, str] = dict(zip(SPLITS, ("#0072B2", "#E69F00", "#009E73", "#999999"), strict=True))
"""Of the splits, apart also for the colour-blind: Okabe and Ito, "Color Universal Design", 2008."""
_DOTS = 150  # per inch
_MOST_POINTS = 200_000  # of the sizes of images: more cannot be told apart
_LABELS, _RARE = 12, 0.01  # sizes of images that are labelled at most, and the share that is not worth it
_CLOSE = 0.03  # of the axes' length: sizes that share a label


def plot(dataset: "Dataset", folder: str | Path) -> list[Path]:
    """Draw the dataset into ``folder`` and return the files written.

    There are ``splits.png`` and ``image_sizes.png``, and for each task ``classes-<task>.png``: the
    annotations per class and split, of the 40 most frequent classes, the others summed up below. For boxes,
    polygons and masks there are ``sizes-<task>.png``, the sides of boxes or the areas of the others, and
    ``places-<task>.png``, how many centres lie where; for a segmentation ``pixels-<task>.png``, the share
    of the pixels per class and split. What a dataset does not have is left out.
    """
    folder = Path(folder)
    frame, info = dataset.samples, dataset.info
    splits = splits_of(frame)
    written: list[Path] = []

    def add(name: str, figure: "Figure") -> None:
        path = folder / f"{name}.png"
        while path in written:  # two tasks whose names differ by what a file name cannot have
            path = path.with_stem(f"{path.stem}_")
        with written_whole(path) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a box stands for what the font lacks
            figure.savefig(temporary, format="png", dpi=_DOTS)
        written.append(path)

    if len(frame):
        add("splits", _splits(frame))
        add("image_sizes", _image_sizes(frame))
    for task in info.tasks:
        counts = class_counts(frame, task)
        if len(counts):
            add(f"classes-{_file_name(task.name)}", _classes(task, counts, splits))
            if task.primitive is Segmentation:
                shares = pixel_shares(frame, task, splits, _CLASSES)
                add(f"pixels-{_file_name(task.name)}", _pixels(task, shares, splits))
    for task in object_tasks(info):
        sizes = object_sizes(frame, task)
        if (sizes.area > 0).any():
            add(
                f"sizes-{_file_name(task.name)}",
                (_box_sizes if task.primitive is Bbox else _areas)(task, sizes),
            )
            add(f"places-{_file_name(task.name)}", _places(task, sizes.centre_x, sizes.centre_y))
    return written


def _file_name(task_name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in task_name)


def _splits(frame: pl.DataFrame) -> "Figure":
    counts = dict(frame["split"].value_counts().iter_rows())
    splits = splits_of(frame)
    figure, axes = new_figure(7, 0.9 + 0.45 * len(splits), f"{len(frame):,} samples by split")
    bars = axes.barh(splits, [counts[s] for s in splits], color=[_COLOURS[s] for s in splits], height=0.7)
    shares = [f"{counts[split]:,}  ({counts[split] / len(frame):.1%})" for split in splits]
    axes.bar_label(bars, shares, padding=5, fontsize=9, color=INK)
    axes.margins(x=0.25)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    return figure


def _classes(task: TaskInfo, counts: pl.DataFrame, splits: list[str]) -> "Figure":
    by_class = {(name, split): count for name, split, count in counts.iter_rows()}
    shown = shown_classes(task, counts, _CLASSES)
    names = sorted(shown.names, key=lambda name: -sum(by_class.get((name, split), 0) for split in splits))
    table = np.array([[by_class.get((name, split), 0) for split in splits] for name in names])
    below = []
    if shown.others:
        rest = int(counts["count"].sum() - table.sum())
        below.append(f"and {other_classes(shown.others)} with {rest:,} annotations")
    if shown.unused:
        below.append(plain(shown.unused_line, 80))
    title = f"Annotations by class: {task.name}"
    figure, axes = _bars(title, names, splits, 0.27, "\n".join(below))
    places, start = np.arange(len(names)), np.zeros(len(names))
    for number, split in enumerate(splits):
        axes.barh(places, table[:, number], left=start, color=_COLOURS[split], label=split, height=0.75)
        start = start + table[:, number]
    for place, total in zip(places, start, strict=True):
        _write_behind(axes, f"{int(total):,}", float(total), int(place))
    axes.set_xlim(0, 1.12 * start.max())
    axes.xaxis.set_major_formatter(thousands)
    _legend(axes, splits)
    return figure


def _pixels(task: TaskInfo, shares: dict[str, np.ndarray], splits: list[str]) -> "Figure":
    from matplotlib.ticker import PercentFormatter

    figure, axes = _bars(
        f"Share of the pixels by class: {task.name}", list(shares), splits, 0.1 + 0.17 * len(splits)
    )
    height = 0.8 / len(splits)
    for number, split in enumerate(splits):
        places = np.arange(len(shares)) + (number - (len(splits) - 1) / 2) * height
        lengths = [row[number] for row in shares.values()]
        axes.barh(places, lengths, color=_COLOURS[split], label=split, height=height * 0.92)
        for place, length in zip(places, lengths, strict=True):
            _write_behind(axes, f"{length:.2%}", length, place)
    axes.set_xlim(0, 1.12 * max(row.max() for row in shares.values()))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    _legend(axes, splits)
    return figure


def _bars(
    title: str, names: list[str], splits: list[str], height: float, below: str = ""
) -> "tuple[Figure, Axes]":
    """Axes for a row of bars per name, of ``height`` inches."""
    lines = below.count("\n") + 1 if below else 0
    legend = 0.3 if len(splits) > 1 else 0
    figure, axes = new_figure(8, 1.1 + height * len(names) + 0.18 * lines + legend, title)
    axes.set_yticks(np.arange(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color=GRID, zorder=0)
    axes.set_axisbelow(True)
    if below:
        axes.set_xlabel(below, loc="left", fontsize=9)
    return figure, axes


def _write_behind(axes: "Axes", text: str, length: float, place: float) -> None:
    axes.annotate(
        text, (length, place), (4, 0), textcoords="offset points", va="center", fontsize=8, color=INK
    )


def _legend(axes: "Axes", splits: list[str]) -> None:
    if len(splits) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(splits), frameon=False, fontsize=9)


def _image_sizes(frame: pl.DataFrame) -> "Figure":
    sizes = frame.group_by("width", "height").len().sort("len", "width", "height", descending=True)
    figure, axes = new_figure(
        6.5, 5.5, f"{len(sizes):,} {'image size' if len(sizes) == 1 else 'image sizes'}"
    )
    sizes = sizes.head(_MOST_POINTS)
    share = (sizes["len"] / len(frame)).to_numpy()
    places = sizes.select("width", "height").to_numpy()
    axes.scatter(*places.T, s=20 + 500 * share, color=_COLOURS["train"], alpha=0.6, linewidth=0)
    largest = 1.12 * float(places.max())
    axes.plot([0, largest], [0, largest], color=FAINT, linewidth=0.8, linestyle=":", zorder=0)
    axes.set(xlim=(0, largest), ylim=(0, largest), aspect="equal")
    axes.set_xlabel("width in pixels")
    axes.set_ylabel("height in pixels")
    labels = _size_labels(places, share, _CLOSE * largest)
    label_apart(figure, axes, [place for place, _ in labels], [label for _, label in labels])
    return figure


def _size_labels(
    places: np.ndarray, share: np.ndarray, close: float
) -> list[tuple[tuple[float, float], str]]:
    """Where to write which label: the most frequent sizes with the others that are ``close`` to them."""
    labels = []
    left = np.ones(len(places), dtype=bool)
    while left.any() and len(labels) < _LABELS:
        first = int(np.argmax(left))  # they come by frequency
        group = left & (np.abs(places - places[first]).max(axis=1) <= close)
        left &= ~group
        width, height = (int(value) for value in places[first])
        if labels and share[group].sum() < _RARE:
            continue
        others = int(group.sum()) - 1
        also = f" and {others:,} close to it" if others else ""
        labels.append(((width, height), f"{width} x {height}{also}: {share[group].sum():.0%}"))
    return labels


def _box_sizes(task: TaskInfo, sizes: ObjectSizes) -> "Figure":
    held = sizes.area > 0
    width, height = sizes.width[held], sizes.height[held]
    figure, axes = new_figure(6.5, 5.5, f"Object sizes: {task.name}")
    low, high = _span(np.concatenate([width, height]))
    bins = np.geomspace(low, high, _bins(len(width), 60))
    counts, _, _ = np.histogram2d(width.clip(low), height.clip(low), bins=[bins, bins])
    _heat(figure, axes, bins, bins, counts)
    axes.plot([low, high], [low, high], color=FAINT, linewidth=0.8, linestyle=":")
    logarithmic(axes, low, high, "both")
    axes.set_aspect("equal")
    axes.set_xlabel("width in pixels")
    axes.set_ylabel("height in pixels")
    return figure


def _areas(task: TaskInfo, sizes: ObjectSizes) -> "Figure":
    """How many objects are how large; what is within their boxes and not theirs does not count."""
    side = sizes.side[sizes.area > 0]
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_figure(6.5, 4, f"Object sizes: {task.name}")
    low, high = _span(side)
    axes.hist(side.clip(low), np.geomspace(low, high, _bins(len(side), 60)).tolist(), color=_COLOURS["train"])
    logarithmic(axes, low, high, "x")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(thousands)
    axes.grid(axis="y", color=GRID, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("side in pixels of a square of the object's area")
    axes.set_ylabel("objects")
    return figure


def _span(pixels: np.ndarray) -> tuple[float, float]:
    """A bit more than from the smallest to the largest."""
    return max(0.5, float(pixels.min()) * 0.8), max(1.0, float(pixels.max()) * 1.25)


def _places(task: TaskInfo, x: np.ndarray, y: np.ndarray) -> "Figure":
    figure, axes = new_figure(6.5, 5.2, f"Where objects are: {task.name}")
    edges = np.linspace(0, 1, _bins(len(x), 40))
    counts, _, _ = np.histogram2d(x.clip(0, 1), y.clip(0, 1), bins=[edges, edges])
    _heat(figure, axes, edges, edges, counts)
    axes.set(xlim=(0, 1), ylim=(1, 0))
    axes.set_xlabel("centre from the left, fraction of the width")
    axes.set_ylabel("centre from the top, fraction of the height")
    return figure


def _heat(figure: "Figure", axes: "Axes", x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> None:
    from matplotlib.colors import LogNorm

    shown = np.ma.masked_equal(counts.T, 0)
    norm = LogNorm(1, max(10, counts.max()))
    # cividis is read the same with and without colour blindness (Nunez, Anderton and Renslow, 2018).
    mesh = axes.pcolormesh(x, y, shown, cmap="cividis", norm=norm)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.8, format=thousands)
    bar.set_label("objects", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def _bins(count: int, most: int) -> int:
    """Edges of bins such that some objects fall into each."""
    return int(np.clip(np.sqrt(count), 10, most)) + 1
