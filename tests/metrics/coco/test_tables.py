"""Columns of boxes."""

from typing import Any

import numpy as np
import pytest

from sightline.errors import SightlineError
from sightline.metrics.coco import BoxTable


def test_columns_get_their_types() -> None:
    table = BoxTable([4, 4], [[0, 1, 2, 4], [0, 0, 5, 5]], [1.0, 0.0], scores=[0, 1])  # type: ignore[arg-type]
    assert len(table) == 2
    assert table.images.dtype == table.labels.dtype == np.int64
    assert table.boxes.dtype == np.float64
    assert table.sizes.tolist() == [[2, 3], [5, 5]]
    assert table.crowds is None


@pytest.mark.parametrize("column", ["labels", "scores", "crowds", "areas", "boxes"])
def test_columns_of_unequal_length_are_refused(column: str) -> None:
    columns: dict[str, Any] = {"images": np.zeros(2), "boxes": np.zeros((2, 4)), "labels": np.zeros(2)}
    columns[column] = np.zeros((3, 4)) if column == "boxes" else np.zeros(3)
    with pytest.raises(SightlineError, match=f"'{column}' has 3 rows and 'images' 2"):
        BoxTable(**columns)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    boxes = np.zeros((2, 4))
    boxes[1, 2] = value
    with pytest.raises(SightlineError, match=r"'boxes' of row 1 \(image 8\)"):
        BoxTable(np.array([7, 8]), boxes, np.zeros(2))
    with pytest.raises(SightlineError, match=r"'scores' of row 0 \(image 7\)"):
        BoxTable(np.array([7, 8]), np.zeros((2, 4)), np.zeros(2), scores=np.array([value, 0]))
