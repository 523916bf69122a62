"""Connected parts of a class map that is too large to be held, and the removal of small ones.

The map is read strip by strip. Within a strip parts are made of runs (pixels of one class side by side);
across strips only the number of pixels of each part is kept and which of them are one. So memory grows with
the number of parts, not with the number of pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.data.predictions import NO_CLASS

ReadStrip = Callable[[int, int], np.ndarray]
"""The class map (rows, width), uint8, from a first row to a last one."""


@dataclass(frozen=True)
class _Strip:
    """Runs of a strip in reading order: where each starts in the flat array, its class, and its part."""

    shape: tuple[int, int]
    starts: np.ndarray
    classes: np.ndarray
    parts: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts, append=self.shape[0] * self.shape[1])

    def row(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Class and part of each pixel of a row."""
        flat = np.arange(index * self.shape[1], (index + 1) * self.shape[1])
        runs = np.searchsorted(self.starts, flat, side="right") - 1
        return self.classes[runs], self.parts[runs]


def without_small_parts(
    read: ReadStrip, spans: Sequence[tuple[int, int]], min_area: int
) -> Iterator[np.ndarray] | None:
    """The strips of the map where each part of fewer than ``min_area`` pixels has taken the class of the
    largest part beside it; None where there is nothing to be changed.

    Parts are connected along edges. A part whose largest neighbour is small itself goes where that one goes.
    Parts that touch only nodata stay. ``spans`` are the strips from the first row to the last.
    """
    sizes, classes, same = _measure(read, spans)
    roots = connected(len(sizes), same[:, 0], same[:, 1])
    sizes = np.bincount(roots, weights=sizes, minlength=len(sizes)).astype(np.int64)
    small = (sizes < min_area) & (classes != NO_CLASS)
    small[roots != np.arange(len(roots))] = False
    if not small.any():
        return None
    target = _largest_neighbours(read, spans, roots, sizes, classes, small)
    target = _ends(target)
    changed = small & ~small[target]
    if not changed.any():
        return None
    new_classes = np.where(changed, classes[target], classes)[roots]
    return _painted(read, spans, new_classes)


def connected(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """For each of ``count`` things the lowest number of those it is connected to, by pairs of them."""
    parent = np.arange(count)
    while True:
        one, other = parent[first], parent[second]
        apart = one != other
        if not apart.any():
            return parent
        first, second, one, other = first[apart], second[apart], one[apart], other[apart]
        np.minimum.at(parent, np.maximum(one, other), np.minimum(one, other))
        parent = _ends(parent)


def _ends(following: np.ndarray) -> np.ndarray:
    """Where one gets by following the numbers; from a circle, to some member of it."""
    for _ in range(max(1, len(following).bit_length())):
        further = following[following]
        if (further == following).all():
            break
        following = further
    return following


def _strips(read: ReadStrip, spans: Sequence[tuple[int, int]]) -> Iterator[_Strip]:
    """The strips with their parts, numbered on through all of them."""
    count = 0
    for start, stop in spans:
        strip = _labelled(read(start, stop), count)
        count = int(strip.parts.max()) + 1
        yield strip


def _labelled(classes: np.ndarray, first: int) -> _Strip:
    height, width = classes.shape
    begins = np.ones((height, width), bool)
    np.not_equal(classes[:, 1:], classes[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    values = classes.ravel()[starts]
    above, below = _touching(starts, classes.shape)
    alike = values[above] == values[below]
    roots = connected(len(starts), above[alike], below[alike])
    _, parts = np.unique(roots, return_inverse=True)
    return _Strip((height, width), starts, values, parts + first)


def _touching(starts: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of runs of which the one is above the other, some more than once."""
    height, width = shape
    upper = starts[starts < (height - 1) * width] + width
    breaks = np.union1d(upper, starts[starts >= width])
    above = np.searchsorted(starts, breaks - width, side="right") - 1
    return above, np.searchsorted(starts, breaks, side="right") - 1


def _measure(read: ReadStrip, spans: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels and class of each strip's parts, and the pairs that are one across a border of strips."""
    sizes, classes, same = [], [], [np.zeros((0, 2), np.int64)]
    last, count = None, 0
    for strip in _strips(read, spans):
        local = strip.parts - count
        of_part = np.zeros(int(local.max()) + 1, np.uint8)
        of_part[local] = strip.classes
        sizes.append(np.bincount(local, weights=strip.lengths).astype(np.int64))
        classes.append(of_part)
        count += len(of_part)
        values, parts = strip.row(0)
        if last is not None:
            alike = values == last[0]
            same.append(np.unique(np.stack([last[1][alike], parts[alike]], axis=1), axis=0))
        last = strip.row(strip.shape[0] - 1)
    return np.concatenate(sizes), np.concatenate(classes), np.concatenate(same)


def _largest_neighbours(
    read: ReadStrip,
    spans: Sequence[tuple[int, int]],
    roots: np.ndarray,
    sizes: np.ndarray,
    classes: np.ndarray,
    small: np.ndarray,
) -> np.ndarray:
    """For each small part the largest of those beside it, the first of equals; for others, themselves."""
    best = np.arange(len(roots))
    best_size = np.zeros(len(roots), np.int64)
    for one, other in _neighbours(read, spans):
        pairs = roots[np.concatenate([one, other])] * len(roots) + roots[np.concatenate([other, one])]
        part, beside = np.divmod(np.unique(pairs), len(roots))
        usable = small[part] & (classes[beside] != NO_CLASS) & (part != beside)
        part, beside = part[usable], beside[usable]
        order = np.lexsort((-beside, sizes[beside], part))
        part, beside = part[order], beside[order]
        last = np.flatnonzero(np.diff(part, append=-1))
        part, beside = part[last], beside[last]
        size = sizes[beside]
        better = (size > best_size[part]) | ((size == best_size[part]) & (beside < best[part]))
        best[part[better]], best_size[part[better]] = beside[better], size[better]
    return best


def _neighbours(read: ReadStrip, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of parts that touch, within each strip and with the one above it."""
    last = None
    for strip in _strips(read, spans):
        above, below = _touching(strip.starts, strip.shape)
        beside = np.flatnonzero(strip.starts[1:] % strip.shape[1])
        one = [strip.parts[above], strip.parts[beside]]
        other = [strip.parts[below], strip.parts[beside + 1]]
        if last is not None:
            one.append(last)
            other.append(strip.row(0)[1])
        last = strip.row(strip.shape[0] - 1)[1]
        yield np.concatenate(one), np.concatenate(other)


def _painted(
    read: ReadStrip, spans: Sequence[tuple[int, int]], new_classes: np.ndarray
) -> Iterator[np.ndarray]:
    for strip in _strips(read, spans):
        yield np.repeat(new_classes[strip.parts], strip.lengths).reshape(strip.shape)
