"""How much a tile counts, from its edge inwards: the rising halves of the window functions.

Each is a function of the way from the edge (0) to where the window is full (1). But for ``flat``, a rising
and a falling half add up to 1 everywhere, so that two tiles that overlap by one half need no normalisation.
"""

from typing import Literal, get_args

import numpy as np

BlendWindow = Literal["bartlett-hann", "hann", "triangular", "flat"]
BLEND_WINDOWS: tuple[BlendWindow, ...] = get_args(BlendWindow)


def rising(window: BlendWindow, length: int) -> np.ndarray:
    """The first half of a window of ``2 * length`` pixels, at the pixels' centres: float64 in (0, 1].

    Bartlett-Hann is ``0.62 - 0.48 |t| + 0.38 cos(2 pi t)`` for t in -1/2..1/2 (Ha and Pearce, "A new window
    and comparison to standard windows", IEEE Trans. ASSP 37(2), 1989); its use against seams is from
    Pielawski and Wählby, "Introducing Hann windows for reducing edge-effects in patch-based image
    segmentation", PLOS ONE 15(3), 2020.
    """
    way = (np.arange(length) + 0.5) / max(length, 1)
    if window == "hann":
        return np.sin(np.pi / 2 * way) ** 2
    if window == "triangular":
        return way
    if window == "flat":
        return np.ones(length)
    t = (way - 1) / 2
    return 0.62 - 0.48 * np.abs(t) + 0.38 * np.cos(2 * np.pi * t)
