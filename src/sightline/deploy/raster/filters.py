"""Filters of class maps within small windows: median, opening and closing.

A class map has no order, so each class is filtered as a mask of its own. Pixels without data, and what lies
beyond the border of the map, count neither as inside nor as outside of any class.
"""

import numpy as np

from sightline.data.predictions import NO_CLASS


def median(classes: np.ndarray, size: int) -> np.ndarray:
    """The class map (height, width) where each pixel takes the class that more than half of the ``size`` x
    ``size`` pixels around it have; it keeps its own where none has.

    For two classes this is the median filter; for more, no class turns up just because its number is between
    those of two others.
    """
    valid = classes != NO_CLASS
    half = _sums(valid, size // 2) // 2
    result = classes.copy()
    for number in _present(classes):
        np.copyto(result, number, where=valid & (_sums(classes == number, size // 2) > half))
    return result


def opening(classes: np.ndarray, size: int, background: int) -> np.ndarray:
    """The class map where pixels of classes other than ``background`` become background that no square of
    ``size`` x ``size`` pixels of their class covers."""
    valid = classes != NO_CLASS
    result = classes.copy()
    for number in _present(classes):
        if number != background:
            mask = classes == number
            opened = _dilated(_eroded(mask, valid, size // 2) & valid, size // 2)
            np.copyto(result, np.uint8(background), where=mask & ~opened)
    return result


def closing(classes: np.ndarray, size: int, background: int) -> np.ndarray:
    """The class map where background that no square of ``size`` x ``size`` pixels free of a class covers
    becomes that class, the lowest of several."""
    valid = classes != NO_CLASS
    free = classes == background
    result = classes.copy()
    for number in reversed(_present(classes)):
        if number != background:
            closed = _eroded(_dilated(classes == number, size // 2), valid, size // 2)
            np.copyto(result, number, where=free & closed)
    return result


def _present(classes: np.ndarray) -> list[np.uint8]:
    present = np.zeros(256, bool)
    present[classes] = True
    return [np.uint8(number) for number in np.flatnonzero(present) if number != NO_CLASS]


def _dilated(mask: np.ndarray, radius: int) -> np.ndarray:
    return _sums(mask, radius) > 0


def _eroded(mask: np.ndarray, valid: np.ndarray, radius: int) -> np.ndarray:
    return _sums(valid & ~mask, radius) == 0


def _sums(mask: np.ndarray, radius: int) -> np.ndarray:
    """How many pixels of the mask are in the square of ``2 * radius + 1`` pixels around each: uint16."""
    counts: np.ndarray = mask.view(np.uint8)
    for axis in (0, 1):
        # Running sums may wrap around at 2**16; their differences are right as long as the counts are below.
        running = np.cumsum(counts, axis=axis, dtype=np.uint16)
        length = mask.shape[axis]
        counts = running.take(np.minimum(np.arange(length) + radius, length - 1), axis=axis)
        behind = max(0, length - radius - 1)
        if axis == 0:
            counts[length - behind :] -= running[:behind]
        else:
            counts[:, length - behind :] -= running[:, :behind]
    return counts
