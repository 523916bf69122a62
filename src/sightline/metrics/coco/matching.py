"""Which predicted box stands for which true one, by COCO's rules, for all images and classes at once.

The rules are those of ``COCOeval.evaluateImg`` of pycocotools: among the boxes of a class in an image, the
predictions choose one after the other, the surest first. Each takes the free true box that it overlaps
most, if that is at least the threshold; of equals the last one. True boxes that are left out (crowds, and
those outside of the area asked for) come only after all others; a crowd is never used up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sightline.metrics.coco.tables import BoxTable

MOST_DETECTIONS = 100
"""Predictions of one class in one image that count, the surest ones."""

_PAIRS_AT_ONCE = 1 << 21  # 16 MiB a column


@dataclass(frozen=True, eq=False)
class Candidates:
    """The boxes in the order of matching, and the pairs of them that overlap enough to match.

    A group is what is matched with each other: the boxes of a class in an image. Groups are in the order
    of images, and within an image of classes.
    """

    true_labels: np.ndarray
    """(G,) class indices."""
    true_areas: np.ndarray
    """(G,) pixels."""
    crowds: np.ndarray
    """(G,) bool."""
    labels: np.ndarray
    """(D,) class indices of predictions; those beyond `MOST_DETECTIONS` are gone."""
    areas: np.ndarray
    """(D,) pixels."""
    scores: np.ndarray
    """(D,)"""
    ranks: np.ndarray
    """(D,) the place of a prediction in its group by score, from 0."""
    pair_predicted: np.ndarray
    """(P,) rows of predictions, rising."""
    pair_true: np.ndarray
    """(P,) rows of true boxes."""
    overlaps: np.ndarray
    """(P,) intersection over union; over the predicted box alone where the true one is a crowd."""


def find_candidates(truth: BoxTable, predicted: BoxTable, classes: int, least: float) -> Candidates:
    """Sort the boxes into groups and pair those of a group that overlap by ``least`` or more."""
    assert predicted.scores is not None
    images = np.unique(np.concatenate([truth.images, predicted.images]))
    true_groups = np.searchsorted(images, truth.images) * classes + truth.labels
    groups = np.searchsorted(images, predicted.images) * classes + predicted.labels

    true_order = np.argsort(true_groups, kind="stable")
    order = np.lexsort((-predicted.scores, groups))  # both stable: equals stay in the order given
    ranks = _places(groups[order])
    order, ranks = order[ranks < MOST_DETECTIONS], ranks[ranks < MOST_DETECTIONS]
    true_groups, groups = true_groups[true_order], groups[order]

    crowds = np.zeros(len(truth), dtype=bool) if truth.crowds is None else truth.crowds[true_order]
    true_corners, true_sizes = truth.boxes[true_order, :2], truth.sizes[true_order]
    corners, sizes = predicted.boxes[order, :2], predicted.sizes[order]
    box_areas = true_sizes[:, 0] * true_sizes[:, 1]
    true_areas = box_areas if truth.areas is None else truth.areas[true_order]
    areas = sizes[:, 0] * sizes[:, 1]

    kept = []
    for rows, true_rows in _pairs(groups, true_groups):
        overlaps = _overlaps(
            corners[rows],
            sizes[rows],
            areas[rows],
            true_corners[true_rows],
            true_sizes[true_rows],
            box_areas[true_rows],
            crowds[true_rows],
        )
        enough = overlaps >= least
        kept.append((rows[enough], true_rows[enough], overlaps[enough]))
    pair_predicted, pair_true, overlaps = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return Candidates(
        true_labels=truth.labels[true_order],
        true_areas=np.where(np.isnan(true_areas), box_areas, true_areas),
        crowds=crowds,
        labels=predicted.labels[order],
        areas=areas,
        scores=predicted.scores[order],
        ranks=ranks,
        pair_predicted=pair_predicted,
        pair_true=pair_true,
        overlaps=overlaps,
    )


def match(
    candidates: Candidates, thresholds: np.ndarray, left_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which predictions have found a true box, and which of these one that is left out.

    Both are bool (D, T): of each prediction at each of the ``thresholds`` of overlap. ``left_out`` is bool
    (G,): the true boxes that do not count, the crowds among them.

    Groups do not touch each other, so all first choosers of all groups choose at once, then all second ones,
    and so on: as many steps as one group has predictions that overlap anything.
    """
    rows, true_rows, overlaps = candidates.pair_predicted, candidates.pair_true, candidates.overlaps
    turns = _turns(candidates)
    # Each chooser's candidates in the order in which it would take them.
    order = np.lexsort((-true_rows, -overlaps, left_out[true_rows], rows, turns))
    rows, true_rows, overlaps, turns = rows[order], true_rows[order], overlaps[order], turns[order]
    reached = overlaps[:, None] >= thresholds
    crowds = candidates.crowds[true_rows, None]

    matched = np.zeros((len(candidates.labels), len(thresholds)), dtype=bool)
    on_left_out = np.zeros_like(matched)
    taken = np.zeros((len(candidates.true_labels), len(thresholds)), dtype=bool)
    for turn in _runs(turns):
        here, there = rows[turn], true_rows[turn]
        free = reached[turn] & (~taken[there] | crowds[turn])
        # The first free one of each chooser: the one that the most others follow.
        following = np.where(free, np.arange(len(here), 0, -1)[:, None], 0)
        choosers = np.flatnonzero(np.diff(here, prepend=-1))
        best = np.maximum.reduceat(following, choosers, axis=0)
        chooser, threshold = np.nonzero(best)
        pair = len(here) - best[chooser, threshold]
        taken[there[pair], threshold] = True
        matched[here[pair], threshold] = True
        on_left_out[here[pair], threshold] = left_out[there[pair]]
    return matched, on_left_out


def _runs(values: np.ndarray) -> Iterator[slice]:
    """Where sorted values from 0 on are the same."""
    start = 0
    for stop in [*(np.flatnonzero(np.diff(values)) + 1), len(values)] if len(values) else ():
        yield slice(start, stop)
        start = stop


def _turns(candidates: Candidates) -> np.ndarray:
    """For each pair the place of its prediction among those of its group that are in pairs, from 0."""
    rows = candidates.pair_predicted
    first = np.diff(rows, prepend=-1) > 0
    choosers = rows[first]
    # A group starts where the rank of its surest prediction is.
    turns = _places(choosers - candidates.ranks[choosers])
    return turns[np.cumsum(first) - 1]


def _places(groups: np.ndarray) -> np.ndarray:
    """Of each element of sorted ``groups`` its place within its group, from 0."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    lengths = np.diff(starts, append=len(groups))
    return np.arange(len(groups)) - np.repeat(starts, lengths)


def _pairs(groups: np.ndarray, true_groups: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs (rows of predictions, rows of true boxes) within groups, a bounded number at once."""
    first = np.searchsorted(true_groups, groups, side="left")
    counts = np.searchsorted(true_groups, groups, side="right") - first
    ends = np.cumsum(counts)
    start = 0
    while True:
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right")))
        part = counts[start:stop]
        rows = np.repeat(np.arange(start, start + len(part)), part)
        offsets = np.arange(len(rows)) - np.repeat(np.cumsum(part) - part, part)
        yield rows, first[rows] + offsets
        start = stop
        if start >= len(groups):
            return


def _overlaps(
    corners: np.ndarray,
    sizes: np.ndarray,
    areas: np.ndarray,
    true_corners: np.ndarray,
    true_sizes: np.ndarray,
    true_areas: np.ndarray,
    crowds: np.ndarray,
) -> np.ndarray:
    """Intersection over union, rounded as in pycocotools, which has corners and sizes; 0 where it is none."""
    low = np.maximum(corners, true_corners)
    high = np.minimum(corners + sizes, true_corners + true_sizes)
    sides = (high - low).clip(min=0)
    shared = sides[:, 0] * sides[:, 1]
    whole = np.where(crowds, areas, areas + true_areas - shared)
    return np.divide(shared, whole, out=np.zeros(len(shared)), where=shared > 0)
