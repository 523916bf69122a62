"""Pictures of numbers."""

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sightline.data.look.figures import FAINT, GRID, new_figure, plain
from sightline.data.primitives.drawing import class_colour
from sightline.metrics.coco import PrecisionRecallCurve
from sightline.reports.findings import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS = 150  # per inch
_LINES = 10  # curves that are told apart by colour; of more the others are grey
_F1 = (0.2, 0.4, 0.6, 0.8)


def png(picture: Image.Image) -> bytes:
    """A picture as a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def figure_png(figure: "Figure") -> bytes:
    """A matplotlib figure as a PNG file."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a box stands for what the font lacks
        figure.savefig(stream, format="png", dpi=_DOTS)
    return stream.getvalue()


def precision_recall_chart(
    curves: Mapping[str, PrecisionRecallCurve], objects: np.ndarray, names: Sequence[str], overlap: float
) -> Chart:
    """Precision against recall of each class, with a dot where F1 is highest; ``objects`` by class."""
    figure, axes = new_figure(6.5, 5, f"Precision and recall of boxes, at an overlap of {overlap:g}")
    _draw_equal_f1(axes)
    by_frequency = sorted(curves, key=lambda name: -objects[names.index(name)])
    for name in reversed(by_frequency):
        curve, shown = curves[name], by_frequency.index(name) < _LINES
        colour = "#{:02x}{:02x}{:02x}".format(*class_colour(name)) if shown else GRID
        recall, precision = np.append(0.0, curve.recall), np.append(curve.precision[:1], curve.precision)
        if len(curve.recall):
            axes.plot(recall, precision, color=colour, linewidth=1.8, label=plain(name) if shown else None)
            best = int(np.argmax(curve.f1))
            axes.plot(curve.recall[best], curve.precision[best], "o", color=colour, markersize=5)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
    axes.set_xlabel("recall: share of the objects that are found")
    axes.set_ylabel("precision: share of the boxes that are right")
    if axes.get_legend_handles_labels()[0]:
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="lower left", frameon=False, fontsize=9)
    more = len(curves) - _LINES
    note = "Dots are where F1 is highest, dotted lines where it is the same."
    if more > 0:
        note += f" The {more} classes with the fewest objects are grey."
    return Chart("precision-recall", "Precision and recall", figure_png(figure), note)


def _draw_equal_f1(axes) -> None:
    """Lines on which F1 is the same."""
    for f1 in _F1:
        recall = np.linspace(f1 / (2 - f1), 1, 100)
        axes.plot(
            recall, f1 * recall / (2 * recall - f1), color=FAINT, linewidth=0.6, linestyle=":", zorder=0
        )
        axes.annotate(f"F1 {f1:g}", (1, f1 / (2 - f1)), fontsize=7, color=FAINT, ha="right", va="bottom")
