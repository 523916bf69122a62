import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from sightline.data import Bbox, Classification, ClassInfo, DatasetInfo, Segmentation, TaskInfo
from sightline.errors import SightlineError
from tests.data.factory import INFO
from tests.needs import shared_data


def test_written_and_read_is_equal(tmp_path: Path) -> None:
    size = TaskInfo.from_class_names(Classification, ["Large", "Small"], "Size")
    task = TaskInfo(primitive=Bbox, name="cells", classes=[ClassInfo(name="RBC", attributes=[size])])
    info = DatasetInfo(
        dataset_name="blut ä", tasks=[task, TaskInfo(primitive=Segmentation)], meta={"a": [1, None]}
    )
    info.write(tmp_path / "dataset_info.json")
    assert DatasetInfo.read(tmp_path / "dataset_info.json") == info


def test_a_segmentation_is_a_bitmask_to_readers_that_know_none(tmp_path: Path) -> None:
    DatasetInfo(dataset_name="x", tasks=[TaskInfo(primitive=Segmentation)]).write(tmp_path / "i.json")
    (task,) = json.loads((tmp_path / "i.json").read_text())["tasks"]
    assert (task["primitive"], task["semantic"]) == ("Bitmask", True)


def test_class_names_without_attributes() -> None:
    task = TaskInfo.from_class_names(Bbox, ["a", "b"])
    assert task.class_names == ["a", "b"]
    assert task.name == "object_detection"
    assert TaskInfo.model_validate({"primitive": "Bbox", "class_names": ["a", "b"]}) == task


def test_the_older_format_with_class_names(tmp_path: Path) -> None:
    old = {
        "dataset_name": "midwest",
        "version": "1.0.0",
        "tasks": [
            {"primitive": "Bbox", "class_names": ["Person", "Vehicle.Car"], "name": "bboxes"},
            {"primitive": "Classification", "class_names": ["Clear", "Foggy"], "name": "Weather"},
        ],
        "meta": {"n_videos": 109},
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(old))
    info = DatasetInfo.read(tmp_path / "dataset_info.json")
    assert info.task("bboxes").class_names == ["Person", "Vehicle.Car"]
    assert info.task(Classification).name == "Weather"
    assert info.meta == {"n_videos": 109}


def test_unknown_fields_and_primitives_of_newer_writers_are_passed_over(tmp_path: Path) -> None:
    data = {
        "dataset_name": "x",
        "version": "1.0.0",
        "colour": "blue",
        "tasks": [
            {"primitive": "Skeleton", "name": "pose", "classes": []},
            {"primitive": "Bbox", "name": "b", "new": 1, "classes": [{"name": "c", "skeleton": None}]},
        ],
    }
    (tmp_path / "i.json").write_text(json.dumps(data))
    assert [task.name for task in DatasetInfo.read(tmp_path / "i.json").tasks] == ["b"]


@pytest.mark.parametrize("name", ["bccd-mini", "micro-coco-2017"])
def test_real_files(name: str) -> None:
    path = shared_data("hafnia-format") / name / "dataset_info.json"
    written = json.loads(path.read_text())
    info = DatasetInfo.read(path)
    assert info.dataset_name == written["dataset_name"]
    assert [task.name for task in info.tasks] == [task["name"] for task in written["tasks"]]
    assert [task.class_names for task in info.tasks] == [
        [entry["name"] for entry in task["classes"]] for task in written["tasks"]
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"i\.json: not valid JSON at line 1, column 2"),
        ("[]", r"i\.json: holds a JSON list"),
        ("{}", r"i\.json: field 'dataset_name': Field required"),
        ('{"dataset_name": "x", "version": "1.0"}', r"i\.json: version '1.0' is not semantic"),
        ('{"dataset_name": "../x"}', r"i\.json: dataset name '../x' cannot name a folder"),
        ('{"dataset_name": "x", "tasks": [{"name": "a"}]}', r"field 'tasks.0.primitive': Field required"),
        (
            '{"dataset_name": "x", "tasks": [{"primitive": "Box"}]}',
            "'Box' is not one of Classification, Bbox",
        ),
        (
            '{"dataset_name": "x", "tasks": [{"primitive": "Bbox"}, {"primitive": "Bbox"}]}',
            "two tasks are named 'object_detection'",
        ),
        (
            '{"dataset_name": "x", "tasks": [{"primitive": "Bbox", "class_names": ["a", "a"]}]}',
            "lists class 'a' twice",
        ),
    ],
)
def test_a_broken_file_is_one_sentence_with_file_and_field(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "i.json").write_text(text)
    with pytest.raises(SightlineError, match=sentence) as caught:
        DatasetInfo.read(tmp_path / "i.json")
    assert "\n" not in str(caught.value)


def test_a_mistyped_field_is_refused_in_code() -> None:
    with pytest.raises(ValidationError, match="titel"):
        DatasetInfo.model_validate({"dataset_name": "x", "titel": "X"})


@pytest.mark.parametrize("version", ["1.0.0", "0.0.1", "10.2.3-rc.1", "1.0.0+abc"])
def test_semantic_versions(version: str) -> None:
    assert DatasetInfo(dataset_name="x", version=version).version == version


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "", "1.0.0 "])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(SightlineError, match="is not semantic"):
        DatasetInfo(dataset_name="x", version=version)


def test_choosing_a_task() -> None:
    assert INFO.task(Bbox).name == "object_detection"
    assert INFO.task("semantic_segmentation").primitive is Segmentation
    with pytest.raises(SightlineError, match="has several tasks: 'image_classification'"):
        INFO.task()
    with pytest.raises(SightlineError, match="no task named 'boxes'; it has 'image_classification'"):
        INFO.task("boxes")
