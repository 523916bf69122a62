"""Average precision and average recall."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.metrics.coco.matching import MOST_DETECTIONS, Candidates, find_candidates, match
from sightline.metrics.coco.tables import BoxTable, check_tables

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlaps, from which on a prediction has found an object, that average precision is a mean over."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which precision is read off."""

AREAS = {"": (0.0, 1e10), "_small": (0.0, 32.0**2), "_medium": (32.0**2, 96.0**2), "_large": (96.0**2, 1e10)}
"""Square pixels of the objects that count, both ends included; by what is put behind a number's name."""

_FEWER_DETECTIONS = (1, 10)
_TINY = np.spacing(1)


def evaluate_detections(truth: BoxTable, predicted: BoxTable, classes: Sequence[str]) -> dict[str, float]:
    """COCO's numbers by name, each 0..1.

    * ``map``: average precision, the mean over classes and `THRESHOLDS`; ``ap50``, ``ap75``: at one of them;
    * ``ar_1``, ``ar_10``, ``ar_100``: recall with at most so many predictions of a class in an image, the
      mean over classes and thresholds;
    * ``ap_small``, ``ap_medium``, ``ap_large``, and as many ``ar_...``: of objects of up to 32, of 32 to 96,
      and of more than 96 pixels squared;
    * ``ap/<class>``, ``ap50/<class>``: of one class.

    Without any object ``map``, ``ap50``, ``ap75`` and ``ar_*`` are NaN. The numbers of a size or class of
    which there is no object are left out, as are such classes from means.

    Raises:
        SightlineError: a label that is none of the ``classes``, or predictions without scores.
    """
    check_tables(truth, predicted, classes)
    candidates = find_candidates(truth, predicted, len(classes), float(THRESHOLDS[0]))
    by_area = {suffix: _measure(candidates, area, len(classes)) for suffix, area in AREAS.items()}
    whole = by_area[""]
    numbers = {
        "map": _mean(whole.precision),
        "ap50": _mean(whole.precision[0]),
        "ap75": _mean(whole.precision[5]),
    }
    for most, recall in zip((*_FEWER_DETECTIONS, MOST_DETECTIONS), whole.recall, strict=True):
        numbers[f"ar_{most}"] = _mean(recall)
    for suffix, measured in by_area.items():
        if suffix and not np.isnan(measured.precision).all():
            numbers[f"ap{suffix}"] = _mean(measured.precision)
            numbers[f"ar{suffix}"] = _mean(measured.recall[-1])
    for label, name in enumerate(classes):
        if not np.isnan(whole.precision[0, label]):
            numbers[f"ap/{name}"] = float(whole.precision[:, label].mean())
            numbers[f"ap50/{name}"] = float(whole.precision[0, label])
    return numbers


@dataclass(frozen=True, eq=False)
class _Measured:
    """Within one range of areas; NaN for classes without an object in it."""

    precision: np.ndarray
    """(T, classes): the mean over `RECALLS`."""
    recall: np.ndarray
    """(3, T, classes): with at most 1, 10 and all of an image's predictions."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of the predictions of one class, the surest first, at T thresholds.

    ``right`` and ``wrong`` are bool (T, D); neither is set for a prediction that does not count, as it is of
    a crowd, or outside of the range of areas.
    """

    objects: int
    """True boxes that count, 1 or more."""
    scores: np.ndarray
    """(D,)"""
    ranks: np.ndarray
    """(D,) the place among the class's predictions in the image, from 0."""
    right: np.ndarray
    wrong: np.ndarray

    def recall_and_precision(self) -> tuple[np.ndarray, np.ndarray]:
        """Both (T, D): if that prediction and all that are surer are kept."""
        found, false = (np.cumsum(flags, axis=1, dtype=np.float64) for flags in (self.right, self.wrong))
        return found / self.objects, found / (found + false + _TINY)


def outcomes_by_class(
    candidates: Candidates, thresholds: np.ndarray, area: tuple[float, float], classes: int
) -> Iterator[tuple[int, Outcomes]]:
    """The classes that have objects with an area in the range, and what became of their predictions."""
    low, high = area

    def outside(areas: np.ndarray) -> np.ndarray:
        return (areas < low) | (areas > high)

    left_out = candidates.crowds | outside(candidates.true_areas)
    matched, on_left_out = match(candidates, thresholds, left_out)
    ignored = on_left_out | (~matched & outside(candidates.areas)[:, None])
    objects = np.bincount(candidates.true_labels[~left_out], minlength=classes)
    # Equally sure ones stay in the order of images.
    order = np.lexsort((-candidates.scores, candidates.labels))
    right = np.ascontiguousarray((matched & ~ignored)[order].T)
    wrong = np.ascontiguousarray((~matched & ~ignored)[order].T)
    scores, ranks = candidates.scores[order], candidates.ranks[order]
    ends = np.cumsum(np.bincount(candidates.labels, minlength=classes))
    for label in np.flatnonzero(objects).tolist():
        rows = slice(ends[label - 1] if label else 0, ends[label])
        yield (
            label,
            Outcomes(int(objects[label]), scores[rows], ranks[rows], right[:, rows], wrong[:, rows]),
        )


def _measure(candidates: Candidates, area: tuple[float, float], classes: int) -> _Measured:
    precision = np.full((len(THRESHOLDS), classes), np.nan)
    recall = np.full((1 + len(_FEWER_DETECTIONS), len(THRESHOLDS), classes), np.nan)
    for label, outcomes in outcomes_by_class(candidates, THRESHOLDS, area, classes):
        recalls, precisions = outcomes.recall_and_precision()
        # What precision could be had at that recall or a higher one; 0 beyond the highest.
        best = np.maximum.accumulate(precisions[:, ::-1], axis=1)[:, ::-1]
        best = np.pad(best, ((0, 0), (0, 1)))
        for number, row in enumerate(recalls):
            precision[number, label] = best[number, np.searchsorted(row, RECALLS)].mean()
        for number, most in enumerate((*_FEWER_DETECTIONS, MOST_DETECTIONS)):
            found = outcomes.right[:, outcomes.ranks < most].sum(axis=1)
            recall[number, :, label] = found / outcomes.objects
    return _Measured(precision, recall)


def _mean(values: np.ndarray) -> float:
    """Over what is not NaN; NaN where all is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
