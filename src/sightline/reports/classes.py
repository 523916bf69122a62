"""What is right and wrong about classes of whole images."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.annotation_tables import POSITION
from sightline.metrics.confusion import (
    by_class,
    class_scores,
    classification_numbers,
    confusion_matrix,
    means,
    scores_of_counts,
)
from sightline.reports.charts import png
from sightline.reports.findings import Chart, Findings, Table, fraction
from sightline.runs.confusion_matrix import draw_confusion_matrix

_MISTAKES = 12  # kinds of mistakes that are listed
_MEASURES = ("precision", "recall", "f1")
_COLUMNS = ("class", "samples", "precision", "recall", "F1")


def judge_classes(count: int, true: pl.DataFrame, predicted: pl.DataFrame, names: Sequence[str]) -> Findings:
    """Findings on ``count`` samples, from tables of annotations that have a `POSITION` and a ``label``.

    Samples with one class each, true and predicted, are judged by that; where any has another number, by
    the sets of classes.
    """
    alone = all(_counts(table, count).max(initial=0) <= 1 for table in (true, predicted))
    return _one_each(count, true, predicted, names) if alone else _sets(count, true, predicted, names)


def _one_each(count: int, true: pl.DataFrame, predicted: pl.DataFrame, names: Sequence[str]) -> Findings:
    truth, guess = _labels(true, count), _labels(predicted, count)
    confidence = np.full(count, np.nan)
    confidence[predicted[POSITION].to_numpy()] = predicted["confidence"].fill_null(np.nan).to_numpy()
    sure = np.nan_to_num(confidence, nan=0.5)
    confusion = confusion_matrix(truth, guess, len(names))
    square = confusion[:, : len(names)]
    right = truth == guess

    def caption(position: int) -> str:
        said = _name(names, guess[position])
        if not np.isnan(confidence[position]):
            said += f" {confidence[position]:.2f}"
        return said if right[position] else f"{said}, is {_name(names, truth[position])}"

    return Findings(
        numbers=classification_numbers(square, names),
        headline=("accuracy", "f1", "precision", "recall"),
        tables=[_by_class(confusion, names), *_mistakes(square, names)],
        charts=[_confusion_chart(square, names)],
        quality=np.where(truth < 0, np.nan, np.where(right, sure, -sure)),
        caption=caption,
        kept=lambda _name, _confidence: True,
        ranking="confidence; mistakes that the model is sure of come first",
    )


def _sets(count: int, true: pl.DataFrame, predicted: pl.DataFrame, names: Sequence[str]) -> Findings:
    truth, guess = _present(true, count, len(names)), _present(predicted, count, len(names))
    right, wrong, missed = (
        np.count_nonzero(both, axis=0).astype(np.float64)
        for both in (truth & guess, ~truth & guess, truth & ~guess)
    )
    scores = {name: scores_of_counts(right, wrong, missed)[name] for name in _MEASURES}
    shared, either = (truth & guess).sum(axis=1), (truth | guess).sum(axis=1)

    def caption(position: int) -> str:
        parts = [
            ("", truth[position] & guess[position]),
            ("wrong: ", ~truth[position] & guess[position]),
            ("missed: ", truth[position] & ~guess[position]),
        ]
        said = (f"{what}{', '.join(np.array(names)[which])}" for what, which in parts if which.any())
        return "; ".join(said) or "no class, as it should be"

    rows = [
        (name, (int(truth[:, number].sum()), *(fraction(scores[one][number]) for one in _MEASURES)))
        for number, name in enumerate(names)
    ]
    return Findings(
        numbers=means(scores) | by_class(scores, names),
        headline=("f1", "precision", "recall"),
        tables=[Table("By class", _COLUMNS, rows)],
        charts=[],
        quality=np.divide(shared, either, out=np.ones(count), where=either > 0),
        caption=caption,
        kept=lambda _name, _confidence: True,
        ranking="the share of right classes among those that are true or predicted",
    )


def _by_class(confusion: np.ndarray, names: Sequence[str]) -> Table:
    scores = class_scores(confusion)
    rows = [
        (name, (int(confusion[number].sum()), *(fraction(scores[one][number]) for one in _MEASURES)))
        for number, name in enumerate(names)
    ]
    return Table("By class", _COLUMNS, rows)


def _mistakes(confusion: np.ndarray, names: Sequence[str]) -> list[Table]:
    """Which class is most often taken for which other."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MISTAKES]
    pairs = [(int(place) // len(names), int(place) % len(names)) for place in order]
    rows = [
        (
            f"{names[true]} taken for {names[guess]}",
            (int(wrong[true, guess]), float(wrong[true, guess] / confusion[true].sum())),
        )
        for true, guess in pairs
        if wrong[true, guess]
    ]
    return [Table("Most frequent mistakes", ("mistake", "samples", "share of class"), rows)] if rows else []


def _confusion_chart(confusion: np.ndarray, names: Sequence[str]) -> Chart:
    pixels = draw_confusion_matrix(confusion, names, "Confusion matrix")
    return Chart("confusion", "Confusion matrix", png(Image.fromarray(pixels)), "Rows are the true classes.")


def _counts(table: pl.DataFrame, count: int) -> np.ndarray:
    return np.bincount(table[POSITION].to_numpy(), minlength=count)


def _labels(table: pl.DataFrame, count: int) -> np.ndarray:
    """The label of each sample, -1 where there is none."""
    labels = np.full(count, -1, dtype=np.int64)
    labels[table[POSITION].to_numpy()] = table["label"].to_numpy()
    return labels


def _present(table: pl.DataFrame, count: int, classes: int) -> np.ndarray:
    """Which classes each sample has, bool (count, classes)."""
    present = np.zeros((count, classes), dtype=bool)
    present[table[POSITION].to_numpy(), table["label"].to_numpy()] = True
    return present


def _name(names: Sequence[str], label: int) -> str:
    return names[label] if label >= 0 else "no class"
