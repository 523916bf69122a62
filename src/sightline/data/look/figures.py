"""What every plot needs: a figure with a title that fits, ticks that are labelled, labels that are apart."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from sightline.data.primitives.drawing import elided

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#1c1917", "#78716c", "#e7e5e4"

_TITLE_LINES = 3
_LETTERS_PER_INCH = (9, 8, 7, 6, 5)  # of a title: as many as fit, narrow letters or wide ones
_PAD = 0.1  # inches at the edges
_GAP = 9  # points between a place and its label


def new_figure(width: float, height: float, title: str) -> "tuple[Figure, Axes]":
    """A figure of so many inches, without pyplot, which would keep it in memory and choose a window system.

    A long title is wrapped, and its middle left out where three lines are not enough.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD)
    figure = Figure(figsize=(width, height), layout=engine, facecolor="white")
    # Within the axes' own title matplotlib makes no room for what is wider than the axes.
    heading = figure.suptitle("", x=_PAD / width, ha="left", fontsize=13, fontweight="bold", color=INK)
    for per_inch in _LETTERS_PER_INCH:
        lines = _wrapped(title, round(width * per_inch))
        heading.set_text(_no_formula("\n".join(lines)))
        figure.set_size_inches(width, height + 0.22 * (len(lines) - 1))
        if heading.get_window_extent().width <= (width - 2 * _PAD) * figure.dpi:
            break
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9)
    return figure, axes


def plain(text: str, letters: int = 36) -> str:
    """Text that matplotlib takes for no formula, on one line and of so many letters at most."""
    return _no_formula(elided(text, lambda shown: len(shown) <= letters))


def _no_formula(text: str) -> str:
    return text.replace("$", r"\$")


def _wrapped(text: str, letters: int) -> list[str]:
    """``text`` in up to three lines of so many letters, without its middle if need be."""

    def lines(shown: str) -> list[str]:
        return textwrap.wrap(shown, letters)

    return lines(elided(text, lambda shown: len(lines(shown)) <= _TITLE_LINES))


def thousands(value: float, _place: float = 0) -> str:
    """A number as ticks have it: 1,000 or 2.5."""
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def logarithmic(axes: "Axes", low: float, high: float, which: Literal["x", "both"]) -> None:
    """Make one axis or both logarithmic from ``low`` to ``high``, with two labelled ticks or more."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set(xscale="log", xlim=(low, high))
    if which == "both":
        axes.set(yscale="log", ylim=(low, high))
    for axis in (axes.xaxis, axes.yaxis) if which == "both" else (axes.xaxis,):
        axis.set_major_locator(FixedLocator(log_ticks(low, high)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(thousands)


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between ``low`` and ``high``: 1, 2, 5, 10 and so on, or closer ones where few are."""
    from matplotlib.ticker import MaxNLocator

    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.outer(10.0**decades, (1, 2, 5)).ravel()
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    if len(ticks) < 3:
        ticks = np.asarray(MaxNLocator(5).tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
    return ticks.tolist()


def label_apart(
    figure: "Figure", axes: "Axes", places: Sequence[tuple[float, float]], labels: Sequence[str]
) -> int:
    """Write each label beside its place, within the axes and apart from the others; first come, first served.

    Returns how many have been written: a label that finds no room is left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # only then is it known where the axes are
    renderer = canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    taken = []
    for place, label in zip(places, labels, strict=True):
        for right, up in ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 2), (0, -2)):
            text = axes.annotate(
                label,
                place,
                (right * _GAP, up * _GAP),
                textcoords="offset points",
                fontsize=9,
                color=INK,
                ha=("center", "left", "right")[right],
                va="center" if not up else "bottom" if up > 0 else "top",
                bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5},
            )
            extent = text.get_window_extent(renderer)
            within = inside.x0 <= extent.x0 and extent.x1 <= inside.x1 and inside.y0 <= extent.y0
            if within and extent.y1 <= inside.y1 and not any(extent.overlaps(other) for other in taken):
                taken.append(extent)
                break
            text.remove()
    return len(taken)
