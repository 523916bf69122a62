"""What is drawn of a metric's points: by step, smoothed, and no more of them than can be seen."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_BINS = 500  # of a panel's width, about one for each pixel that its curve can be told apart at


@dataclass(frozen=True)
class Curve:
    """One metric of one run by step: ``x`` (int or float64) ascending, ``y`` (float64), both [N].

    ``x`` counts the values from 0 where the run never named a step.
    """

    x: "NDArray[np.float64]"
    y: "NDArray[np.float64]"


def curve_of(points: "pl.DataFrame", name: str) -> Curve:
    """The curve of a metric in ``points`` (as `read_curves` gives them); of a step's values the last."""
    import numpy as np
    import polars as pl

    own = points.filter(pl.col("name") == name)
    steps = own["step"]
    if len(own) > 1 and steps.min() == steps.max():
        return Curve(np.arange(len(own), dtype=np.float64), own["value"].to_numpy())
    if not steps.is_sorted() or steps.n_unique() < len(own):
        own = own.unique("step", keep="last").sort("step")
    return Curve(own["step"].cast(pl.Float64).to_numpy(), own["value"].to_numpy())


def smoothed(y: "NDArray[np.float64]", weight: float) -> "NDArray[np.float64]":
    """The running mean of ``y`` [N], with ``weight`` in [0, 1) for what was before; NaN where ``y`` is not
    finite.

    An exponential moving average, corrected for its start as in Kingma and Ba, "Adam", 2015, section 3.
    """
    import numpy as np

    result = np.full(len(y), np.nan)
    mean = rest = 0.0
    for index, value in enumerate(y.tolist()):
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            rest = weight * rest + (1 - weight)
            result[index] = mean / rest
    return result


def averaged(curve: Curve, bins: int = _BINS // 2) -> Curve:
    """The mean of the finite values in each of ``bins`` equal parts of the width of ``curve``, at the middle
    of their steps; NaN where a part has values and none is finite. Few points come back as they are."""
    import numpy as np
    import polars as pl

    if len(curve.x) <= 4 * bins:
        return curve
    value = pl.col("y").filter(pl.col("y").is_finite())
    means = (
        pl.DataFrame({"part": _parts(curve.x, bins), "x": curve.x, "y": curve.y})
        .group_by("part")
        .agg(pl.col("x").mean(), value.mean())
        .sort("part")
    )
    return Curve(means["x"].to_numpy(), means["y"].fill_null(np.nan).to_numpy())


def thinned(curve: Curve, bins: int = _BINS) -> Curve:
    """``curve`` with the first, lowest, highest and last of each of ``bins`` equal parts of its width, and
    of each part the first and last NaN and infinity: drawn that wide, it looks the same.

    Source: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014.
    """
    import numpy as np
    import polars as pl

    x, y = curve.x, curve.y
    if len(x) <= 4 * bins:
        return curve
    finite = np.isfinite(y)
    columns = {
        "part": _parts(x, bins),
        "kind": np.where(finite, 0, np.where(np.isnan(y), 1, np.where(y > 0, 2, 3))),
        "index": np.arange(len(x)),
        "y": np.where(finite, y, 0.0),
    }
    index, value = pl.col("index"), pl.col("y")
    kept = (
        pl.DataFrame(columns)
        .group_by("part", "kind")
        .agg(
            index.first().alias("first"),
            index.get(value.arg_min()).alias("lowest"),
            index.get(value.arg_max()).alias("highest"),
            index.last().alias("last"),
        )
        .drop("part", "kind")
    )
    places = np.unique(kept.to_numpy())
    return Curve(x[places], y[places])


def _parts(x: "NDArray[np.float64]", bins: int) -> "NDArray[np.int64]":
    import numpy as np

    return np.minimum((x - x[0]) / (x[-1] - x[0]) * bins, bins - 1).astype(np.int64)
