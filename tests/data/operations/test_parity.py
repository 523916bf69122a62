"""Operations, methods of `Dataset` and steps of recipes are the same things."""

import inspect
import json
import typing
from pathlib import Path
from typing import Any

import pytest

from sightline.data import Bbox, Classification, ClassInfo, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.operations import OPERATIONS
from sightline.data.recipes import Step
from tests.data.factory import write_picture

NOT_OPERATIONS = {
    "from_path": "reads",
    "from_name": "reads",
    "from_samples": "builds",
    "from_tables": "builds",
    "from_format": "reads",
    "merge": "takes several datasets; a recipe has it as a source",
    "replace": "takes what JSON cannot hold",
    "write": "writes, and gives back what it wrote",
    "download": "writes, and gives back what it wrote",
}
"""Methods that return a dataset and are no step of a recipe, and why."""

ARGUMENTS: dict[str, dict[str, Any]] = {
    "select": {"positions": [2, 0]},
    "select_range": {"stop": 2},
    "sample": {"n": 2},
    "create_split_dataset": {"split": "train"},
    "create_splits": {"ratios": {"train": 0.5, "test": 0.5}, "group_by": "collection_id"},
    "apply_split_manifest": {"manifest": "manifest.json"},
    "filter": {"expression": "width > 0"},
    "filter_annotations": {"expression": "width > 0", "task": "objects"},
    "filter_samples_by_class": {"class_names": ["car"], "task": "objects"},
    "filter_tags": {"tags": ["a"], "match": "none"},
    "filter_classes": {"class_names": ["car"], "task": "objects"},
    "map_classes": {"mapping": {"*": "thing"}, "task": "objects"},
    "rename_task": {"old": "objects", "new": "things"},
    "drop_task": {"name": "objects"},
    "keep_tasks": {"names": ["objects"]},
    "flatten_attributes": {"task": "objects"},
    "convert_task": {"task": "objects", "to": "Polygon"},
    "transform_images": {"steps": [{"step": "grayscale"}]},
    "blur_objects": {"task": "objects"},
    "tile": {"size": 8},
}
"""What operations are called with here, as far as they need arguments."""


def _step(name: str) -> Step:
    """The operation as a recipe has it, its arguments gone through JSON."""
    return Step.of_json(json.loads(json.dumps({name: ARGUMENTS.get(name, {})})), "step")


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    colour = TaskInfo.from_class_names(Classification, ["red", "blue"], "Colour")
    info = DatasetInfo(
        dataset_name="street",
        tasks=[
            TaskInfo(
                primitive=Bbox,
                name="objects",
                classes=[ClassInfo(name="car", attributes=[colour]), ClassInfo(name="bus")],
            ),
            TaskInfo.from_class_names(Classification, ["day"]),
        ],
    )
    red = Classification(class_name="red", task_name="Colour")
    box = Bbox(top_left_x=0, top_left_y=0, width=0.5, height=0.5, class_name="car", classifications=[red])
    box.task_name = "objects"
    samples = [
        Sample(
            file_path=str(write_picture(tmp_path / f"{n}.png", n)),
            height=12,
            width=16,
            split="train" if n < 3 else "test",
            collection_id=f"v{n}",
            bboxes=[box],
            classifications=[Classification(class_name="day")],
        )
        for n in range(4)
    ]
    monkeypatch.chdir(tmp_path)
    dataset = Dataset.from_samples(samples, info)
    dataset.write_split_manifest("manifest.json")
    return dataset


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_a_method(name: str) -> None:
    method = getattr(Dataset, name)
    assert OPERATIONS[name].__name__ == name
    assert inspect.signature(method) == inspect.signature(OPERATIONS[name])
    assert next(iter(inspect.signature(method).parameters)) == "dataset"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_argument_is_typed_and_described(name: str) -> None:
    function = OPERATIONS[name]
    hints = typing.get_type_hints(function, localns={"Dataset": Dataset})
    assert hints.pop("return") is Dataset
    text = inspect.getdoc(function) or ""
    for argument in list(inspect.signature(function).parameters)[1:]:
        assert argument in hints
        assert f"``{argument}``" in text or f"\n    {argument}: " in text, (
            f"{name} does not describe {argument}"
        )


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_gives_a_new_dataset_and_leaves_its_own(
    name: str, street: Dataset, tmp_path: Path
) -> None:
    info, samples = street.info.model_dump_json(), street.samples.clone()
    result = _step(name).apply(street, tmp_path / "images")
    assert isinstance(result, Dataset)
    assert result is not street
    assert len(result)
    assert street.info.model_dump_json() == info
    assert street.samples.equals(samples)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if not _step(name).takes_folder()])
def test_a_step_of_a_recipe_is_the_method(name: str, street: Dataset, tmp_path: Path) -> None:
    there = _step(name).apply(street, tmp_path)
    here = getattr(street, name)(**ARGUMENTS.get(name, {}))
    assert there.samples.equals(here.samples)
    assert there.info == here.info


def test_every_method_that_returns_a_dataset_is_an_operation_or_says_why_not() -> None:
    returning = {
        name
        for name, method in inspect.getmembers(Dataset, callable)
        if not name.startswith("_") and _return_type(method) in ("Dataset", "Self", Dataset, typing.Self)
    }
    formats = {name for name in returning if name.startswith("from_")}
    assert returning - formats - set(OPERATIONS) - set(NOT_OPERATIONS) == set()
    assert set(OPERATIONS) <= returning


def _return_type(method: Any) -> Any:
    try:
        hint = inspect.signature(method).return_annotation
    except ValueError:  # a builtin
        return None
    return hint.strip("\"'") if isinstance(hint, str) else hint
