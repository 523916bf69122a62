"""Predictions item by item."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
import torch

from sightline.engine.predictions import items_of, write_predictions
from sightline.errors import SightlineError


def test_items_of() -> None:
    boxes = [torch.zeros(2, 4), torch.zeros(0, 4)]
    assert [item.tolist() for item in items_of(torch.tensor([[1, 2], [3, 4]]))] == [[1, 2], [3, 4]]
    assert items_of([{"boxes": boxes[0]}, {"boxes": boxes[1]}])[1]["boxes"] is boxes[1]
    pairs = items_of({"label": torch.tensor([5, 6]), "boxes": boxes})
    assert [(int(pair["label"]), pair["boxes"].shape) for pair in pairs] == [(5, (2, 4)), (6, (0, 4))]
    assert [len(item) for item in items_of((torch.zeros(2), boxes))] == [2, 2]
    with pytest.raises(SightlineError, match="have 2, 3 items"):
        items_of({"a": torch.zeros(2), "b": torch.zeros(3)})
    with pytest.raises(SightlineError, match="of type int cannot be told apart"):
        items_of(3)


def test_lines_are_json_whatever_the_numbers(tmp_path: Path) -> None:
    batches = [torch.tensor([1.5, math.nan]), torch.tensor([-math.inf]).bfloat16()]
    assert write_predictions(batches, tmp_path / "p.jsonl") == 3
    written = (tmp_path / "p.jsonl").read_text().splitlines()
    lines = [json.loads(line, parse_constant=pytest.fail) for line in written]
    assert [line["prediction"] for line in lines] == [1.5, "nan", "-inf"]
    assert [line["index"] for line in lines] == [0, 1, 2]


def test_formats_say_what_they_cannot_hold(tmp_path: Path) -> None:
    ragged = [
        {"boxes": [torch.zeros(2, 4)], "label": torch.tensor([1])},
        {"boxes": [torch.zeros(0, 4)], "label": torch.tensor([2])},
    ]
    assert write_predictions(ragged, tmp_path / "p.parquet") == 2
    assert pl.read_parquet(tmp_path / "p.parquet").columns == ["index", "boxes", "label"]
    with pytest.raises(SightlineError, match="safetensors holds tensors alone"):
        write_predictions(ragged, tmp_path / "p.safetensors")
    with pytest.raises(SightlineError, match="different shapes"):
        write_predictions([torch.zeros(1, 2), torch.zeros(1, 3)], tmp_path / "q.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.parquet"]
