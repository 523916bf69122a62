"""The metrics of runs as curves: a PNG with one panel for each metric, all runs laid over one another."""

import math
import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.runs.curve_shapes import Curve, averaged, curve_of, smoothed, thinned
from sightline.runs.curves import read_curves
from sightline.runs.listing import Run
from sightline.runs.summaries import Choice, in_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 24
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Apart also for the colour-blind: Okabe and Ito, "Color Universal Design", 2008."""
_FEW = 40  # points up to which each is a dot
_WIDE = 20.0  # highest over lowest from which a logarithmic axis is thought of
_HUGE = 1e150  # drawn as infinite: the middle of an axis that reaches further cannot be computed
_LONGEST_TITLE = 40  # characters
_FAINT_LINE = 0.3
_DASHES, _DOT_SHAPES = ("-", "--", ":", "-."), ("o", "s", "^", "D")
_DOTS, _INK, _FAINT, _GRID = 150, "#1c1917", "#78716c", "#e7e5e4"


def plot_runs(
    runs: Sequence[Run], path: Path, choices: Sequence[Choice] = (), smoothing: float = 0.0
) -> tuple[list[str], list[str]]:
    """Draw the metrics of ``runs`` that ``choices`` fit (all without them) into the PNG file ``path``.

    ``smoothing`` in [0, 1) is the weight of what was before: 0 draws curves as they are, more draws their
    running mean over them. Values that are not finite are marks on the edge; of many points those are drawn
    that can be seen, every peak among them. Returns the names of the metrics drawn, and of those left out
    because there are more than 24.

    Raises:
        SightlineError: there is nothing to draw, a run cannot be read, or the file cannot be written.
    """
    curves = load_curves(runs, choices)
    drawn = {name: [_drawable(each) for each in own] for name, own in islice(curves.items(), MOST_PANELS)}
    figure = _figure(runs, drawn, smoothing)
    with written_whole(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a box stands for what the font lacks
        figure.savefig(temporary, format="png", dpi=_DOTS)
    return list(drawn), list(curves)[MOST_PANELS:]


def _drawable(curve: Curve) -> Curve:
    import numpy as np

    return Curve(curve.x, np.where(np.abs(curve.y) > _HUGE, np.copysign(np.inf, curve.y), curve.y))


def load_curves(
    runs: Sequence[Run], choices: Sequence[Choice] = (), smoothing: float = 0.0
) -> dict[str, list[Curve]]:
    """The curves of each metric that ``choices`` fit, one for each run, empty where a run has none.

    Raises:
        SightlineError: no run has such a metric, or a run cannot be read.
    """
    points = [read_curves(run.folder, resumed=run.resumed) for run in runs]
    pairs = [pair for each in points for pair in each.select("name", "kind").unique().iter_rows()]
    kinds = dict(sorted(pairs, reverse=True))  # of a name with both kinds, the metric
    names = in_order(kinds, choices)
    if not names:
        raise SightlineError(_nothing(runs, kinds, choices))
    curves = {name: [curve_of(each, name) for each in points] for name in names}
    if smoothing:
        curves = {
            name: [Curve(each.x, smoothed(each.y, smoothing)) for each in of_runs]
            for name, of_runs in curves.items()
        }
    return curves


def _nothing(runs: Sequence[Run], kinds: dict[str, str], choices: Sequence[Choice]) -> str:
    whose = f"{runs[0].name} has no" if len(runs) == 1 else f"none of {len(runs)} runs has a"
    if not kinds:
        return f"{whose} metric yet, so there is nothing to draw."
    asked = ", ".join(f"'{choice.pattern}'" for choice in choices)
    return f"{whose} metric {asked}; there are {', '.join(in_order(kinds)[:8])}."


def _figure(runs: Sequence[Run], curves: dict[str, list[Curve]], smoothing: float) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D

    columns = min(3, math.ceil(math.sqrt(len(curves))))
    rows = math.ceil(len(curves) / columns)
    width = 5.0 * columns + (2.0 if columns == 1 else 0.0)
    labels = [
        _shortened(run.name) if run.status == "succeeded" else f"{_shortened(run.name)} ({run.status})"
        for run in runs
    ]
    legend_columns = max(1, min(len(runs), int(width * 10 / (max(map(len, labels)) + 6))))
    legend_rows = math.ceil(len(runs) / legend_columns)
    # Without pyplot, which would keep it in memory and choose a window system.
    figure = Figure(
        figsize=(width, 3.2 * rows + 0.25 + 0.2 * legend_rows),
        layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, hspace=0.02, wspace=0.04),
        facecolor="white",
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, (name, of_runs) in zip(panels, curves.items(), strict=False):
        _draw(panel, name, of_runs, smoothing)
    for panel in panels[len(curves) :]:
        panel.remove()
    lines = [Line2D([], [], **(_dots(index, 4) | _style(index)), linewidth=2) for index in range(len(runs))]
    legend = figure.legend(
        lines,
        labels,
        loc="outside upper left",
        ncols=legend_columns,
        frameon=False,
        fontsize=9,
        labelcolor=_INK,
        handlelength=2.6,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a "$" in a name begins no formula
    return figure


def _style(index: int) -> dict[str, Any]:
    turn = index // len(_COLOURS) % len(_DASHES)
    return {"color": _COLOURS[index % len(_COLOURS)], "linestyle": _DASHES[turn]}


def _dots(index: int, size: float) -> dict[str, Any]:
    shape = _DOT_SHAPES[index // len(_COLOURS) % len(_DOT_SHAPES)]
    return {"marker": shape, "markersize": size, "color": _COLOURS[index % len(_COLOURS)], "linestyle": ""}


def _draw(panel: "Axes", name: str, curves: Sequence[Curve], smoothing: float) -> None:
    import numpy as np
    from matplotlib.ticker import EngFormatter, MaxNLocator

    panel.set_title(
        _shortened(name), loc="left", fontsize=10, fontweight="bold", color=_INK, parse_math=False
    )
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(_FAINT)
    panel.tick_params(labelsize=8, colors=_FAINT, labelcolor=_INK)
    panel.xaxis.get_offset_text().set_fontsize(8)
    panel.yaxis.get_offset_text().set_fontsize(8)
    panel.grid(color=_GRID, linewidth=0.7)
    panel.set_axisbelow(True)
    if all(len(curve.x) <= 1 for curve in curves):
        _draw_single_values(panel, curves)
        return
    for index, curve in enumerate(curves):
        _draw_curve(panel, curve, index, smoothing)
    if log_scale_helps(curves):
        panel.set_yscale("log")
    if not any(np.isfinite(curve.y).any() for curve in curves):
        panel.set_yticks([])
    panel.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    many = any(len(averaged(curve).x) < len(curve.x) for curve in curves)
    what = "step (lines are means; every value is faint)" if many or smoothing else "step"
    panel.set_xlabel(what, fontsize=8, color=_FAINT)
    _note_what_is_not_finite(panel, curves)


def _draw_curve(panel: "Axes", curve: Curve, index: int, smoothing: float) -> None:
    import numpy as np

    raw = thinned(curve)
    finite = np.isfinite(raw.y)
    few = len(raw.x) <= _FEW
    line = averaged(Curve(curve.x, smoothed(curve.y, smoothing)) if smoothing else curve)
    style = _style(index)
    colour = style["color"]
    if smoothing or len(line.x) < len(curve.x):
        # Every value, but faint: of many noisy ones all that is seen of two runs is the upper one.
        panel.plot(raw.x, np.where(finite, raw.y, np.nan), color=colour, alpha=_FAINT_LINE, linewidth=0.8)
    panel.plot(line.x, np.where(np.isfinite(line.y), line.y, np.nan), **style, linewidth=1.4)
    # A point between two gaps has no line to be seen by.
    neighbours = np.convolve(finite, [1, 0, 1], mode="same") > 0 if len(finite) > 2 else np.zeros(len(finite))
    dots = finite if few else finite & (neighbours == 0)
    if dots.any():
        panel.plot(raw.x[dots], raw.y[dots], **_dots(index, 3))
    across = panel.get_xaxis_transform()  # x in steps, y from 0 (bottom) to 1 (top)
    for which, marker, at in (
        (np.isnan(raw.y), "x", 0.03),
        (np.isneginf(raw.y), "v", 0.03),
        (np.isposinf(raw.y), "^", 0.97),
    ):
        x = raw.x[which]
        if len(x):
            height = [at] * len(x)
            panel.plot(x, height, marker, color=colour, markersize=5, transform=across, clip_on=False)


def _draw_single_values(panel: "Axes", curves: Sequence[Curve]) -> None:
    """A dot for each run that has one value and no more, written beside it."""
    for index, curve in enumerate(curves):
        for value in curve.y.tolist():
            colour = _style(index)["color"]
            is_finite = math.isfinite(value)
            if is_finite:
                panel.plot([value], [index], **_dots(index, 6))
            text = panel.annotate(
                f"{value:.4g}",
                (value if is_finite else 0.0, index),
                (7, 0),
                xycoords="data" if is_finite else ("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=_INK if is_finite else colour,
            )
            text.set_in_layout(False)
    panel.set_ylim(len(curves) - 0.5, -0.5)
    panel.set_yticks([])
    panel.locator_params(axis="x", nbins=5)
    panel.margins(x=0.25)


def _note_what_is_not_finite(panel: "Axes", curves: Sequence[Curve]) -> None:
    import numpy as np

    counts = {
        "NaN (x)": sum(int(np.isnan(curve.y).sum()) for curve in curves),
        "infinite (▲▼)": sum(int(np.isinf(curve.y).sum()) for curve in curves),
    }
    text = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    panel.set_title(text, loc="right", fontsize=8, color=_FAINT)


def log_scale_helps(curves: Sequence[Curve]) -> bool:
    """Whether most values are squeezed into the lowest tenth of a linear axis, and all are positive."""
    import numpy as np

    values = np.concatenate([curve.y[np.isfinite(curve.y)] for curve in curves])
    if not len(values) or values.min() <= 0 or values.max() / values.min() < _WIDE:
        return False
    return bool((values < values.max() / 10).mean() > 0.5)


def _shortened(name: str) -> str:
    name = "".join(letter if letter.isprintable() else "�" for letter in name)
    return name if len(name) <= _LONGEST_TITLE else f"{name[:20]}…{name[-19:]}"
