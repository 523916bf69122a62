"""A curve as a line of text."""

from typing import TYPE_CHECKING

from sightline.runs.curve_shapes import Curve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BARS = "▁▂▃▄▅▆▇█"
_NOT_FINITE = "!"


def sparkline(curve: Curve, low: float, high: float, width: int = 40) -> str:
    """The curve from left to right in at most ``width`` characters, with bars from ``low`` to ``high``.

    Each stands for the mean of its part; ``!`` for one with a NaN or an infinity, a blank for an empty one.
    """
    import numpy as np

    if len(curve.x) <= width:
        parts = np.split(curve.y, len(curve.y)) if len(curve.y) else []
    else:
        edges = np.linspace(curve.x[0], curve.x[-1], width + 1)[1:-1]
        parts = np.split(curve.y, np.searchsorted(curve.x, edges))
    return "".join(_bar(part, low, high) for part in parts)


def _bar(part: "NDArray[np.float64]", low: float, high: float) -> str:
    import numpy as np

    if not len(part):
        return " "
    if not np.isfinite(part).all():
        return _NOT_FINITE
    height = (float(part.mean()) - low) / (high - low) if high > low else 0.5
    return _BARS[min(int(height * len(_BARS)), len(_BARS) - 1)]
