import pytest

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.errors import SightlineError
from tests.needs import shared_data

INFO = DatasetInfo(
    dataset_name="street",
    tasks=[
        TaskInfo.from_class_names(Bbox, ["car"], "objects"),
        TaskInfo.from_class_names(Bbox, ["car"], "predictions"),
        TaskInfo.from_class_names(Classification, ["day"], "time"),
    ],
)


def _street() -> Dataset:
    def box(task: str) -> Bbox:
        return Bbox(top_left_x=0, top_left_y=0, width=1, height=1, class_name="car", task_name=task)

    time = [Classification(class_name="day", task_name="time")]
    return Dataset.from_samples(
        [
            Sample(file_path=None, height=1, width=1, bboxes=boxes, classifications=time)
            for boxes in ([box("objects"), box("predictions")], [box("predictions")], [], None)
        ],
        INFO,
    )


def _tasks(dataset: Dataset) -> list[list[str] | None]:
    return [None if s.bboxes is None else [box.task_name for box in s.bboxes] for s in dataset]


def test_rename_task() -> None:
    renamed = _street().rename_task("objects", "things")
    assert [task.name for task in renamed.info.tasks] == ["things", "predictions", "time"]
    assert _tasks(renamed) == [["things", "predictions"], ["predictions"], [], None]
    back = renamed.rename_task("things", "objects")
    assert back.samples.equals(_street().samples)
    assert back.info == INFO


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(SightlineError, match="'street' has a task 'predictions' already; choose another"):
        _street().rename_task("objects", "predictions")
    with pytest.raises(SightlineError, match="has no task named 'object'; it has 'objects'"):
        _street().rename_task("object", "things")


def test_drop_task_leaves_the_others_of_its_column() -> None:
    dropped = _street().drop_task("predictions")
    assert [task.name for task in dropped.info.tasks] == ["objects", "time"]
    assert _tasks(dropped) == [["objects"], [], [], None]
    assert dropped.samples["classifications"].equals(_street().samples["classifications"])


def test_without_its_last_task_a_column_is_not_annotated() -> None:
    dropped = _street().drop_task("time")
    assert dropped.samples["classifications"].null_count() == 4
    with pytest.raises(SightlineError, match="has no task named 'time'"):
        dropped.drop_task("time")


def test_keep_tasks() -> None:
    kept = _street().keep_tasks(["obj*", "time"])
    assert kept.info == _street().drop_task("predictions").info
    assert kept.samples.equals(_street().drop_task("predictions").samples)
    with pytest.raises(SightlineError, match="'tome' is no task of dataset 'street'; did you mean 'time'"):
        _street().keep_tasks(["tome"])


def test_real_cells() -> None:
    cells = Dataset.from_path(shared_data("hafnia-format/bccd-mini"))
    boxes = cells.keep_tasks(["bboxes"])
    assert boxes.samples["bboxes"].equals(cells.samples["bboxes"])
    assert [len(boxes.samples) == boxes.samples[c].null_count() for c in ("polygons", "bitmasks")] == [
        True
    ] * 2
