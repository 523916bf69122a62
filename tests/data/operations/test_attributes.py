import logging

import pytest

from sightline.data import Bbox, Classification, ClassInfo, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.errors import SightlineError
from tests.needs import shared_data

TONE = TaskInfo.from_class_names(Classification, ["light", "dark"], "Tone")
COLOUR = TaskInfo(
    primitive=Classification,
    name="Colour",
    classes=[ClassInfo(name="Red"), ClassInfo(name="Grey", attributes=[TONE])],
)
STATE = TaskInfo.from_class_names(Classification, ["parked", "moving"], "State")
NOTE = TaskInfo(primitive=Classification, name="Note")
INFO = DatasetInfo(
    dataset_name="street",
    tasks=[
        TaskInfo(
            primitive=Bbox,
            name="objects",
            classes=[ClassInfo(name="Vehicle", attributes=[COLOUR, STATE, NOTE]), ClassInfo(name="Person")],
        ),
        TaskInfo(primitive=Bbox, name="predictions", classes=[ClassInfo(name="Vehicle", attributes=[STATE])]),
    ],
)
BASE = ["Vehicle", "Vehicle.Red", "Vehicle.Grey", "Person"]


def _attribute(
    task: str, name: str, *inner: Classification, confidence: float | None = None
) -> Classification:
    return Classification(
        class_name=name, task_name=task, classifications=list(inner) or None, confidence=confidence
    )


def _box(name: str, *attributes: Classification, task: str = "objects") -> Bbox:
    return Bbox(
        top_left_x=0,
        top_left_y=0,
        width=1,
        height=1,
        class_name=name,
        task_name=task,
        classifications=list(attributes) or None,
    )


def _street(*more: Bbox) -> Dataset:
    red = _attribute("Colour", "Red", confidence=0.25)
    grey = _attribute("Colour", "Grey", _attribute("Tone", "dark"))
    lists = [
        [
            _box("Vehicle", _attribute("State", "parked"), red),
            _box("Person"),
            _box("Vehicle", _attribute("State", "moving"), task="predictions"),
        ],
        [_box("Vehicle", grey, _attribute("Note", "scratched")), _box("Vehicle"), *more],
        [],
        None,
    ]
    return Dataset.from_samples([Sample(file_path=None, height=1, width=1, bboxes=b) for b in lists], INFO)


def _labels(dataset: Dataset, task: str = "objects") -> list[list[str] | None]:
    return [
        None if s.bboxes is None else [box.label() for box in s.bboxes if box.task_name == task]
        for s in dataset
    ]


def test_an_attribute_becomes_part_of_the_class() -> None:
    flat = _street().flatten_attributes("objects", ["Colour"])
    assert flat.info.task("objects").class_names == BASE
    assert _labels(flat) == [
        ["Vehicle.Red (parked)", "Person"],
        ["Vehicle.Grey (scratched, dark)", "Vehicle"],
        [],
        None,
    ]
    indices = [[box.class_idx for box in s.bboxes or ()] for s in flat]
    assert indices == [[1, 3, 0], [2, 0], [], []]
    assert _labels(flat, "predictions")[0] == ["Vehicle (moving)"]


def test_the_attributes_of_an_attribute_become_those_of_the_class() -> None:
    flat = _street().flatten_attributes("objects", ["Colour"])
    classes = {info.name: info.attributes for info in flat.info.task("objects").classes or ()}
    assert classes == {
        "Vehicle": [STATE, NOTE],
        "Vehicle.Red": [STATE, NOTE],
        "Vehicle.Grey": [STATE, NOTE, TONE],
        "Person": None,
    }
    deeper = _street().flatten_attributes("objects", ["Colour", "Tone"])
    assert deeper.info.task("objects").class_names == [
        *BASE[:3],
        "Vehicle.Grey.light",
        "Vehicle.Grey.dark",
        "Person",
    ]
    assert _labels(deeper)[1] == ["Vehicle.Grey.dark (scratched)", "Vehicle"]


def test_all_attributes_with_fixed_classes_in_order() -> None:
    flat = _street().flatten_attributes("objects", separator="/")
    assert _labels(flat)[:2] == [
        ["Vehicle/Red/parked", "Person"],
        ["Vehicle/Grey/dark (scratched)", "Vehicle"],
    ]
    names = flat.info.task("objects").class_names or []
    assert len(names) == len(set(names))
    assert "Vehicle/Grey/moving/light" in names
    assert flat.info.task("predictions") == INFO.task("predictions")


def test_an_attribute_becomes_a_task_of_its_own() -> None:
    apart = _street().flatten_attributes("objects", ["Colour"], into="tasks")
    assert [task.name for task in apart.info.tasks] == ["objects", "objects.Colour", "predictions"]
    assert apart.info.task("objects.Colour").class_names == ["Red", "Grey"]
    assert apart.info.task("objects").class_names == ["Vehicle", "Person"]
    assert _labels(apart) == [["Vehicle (parked)", "Person"], ["Vehicle (scratched)", "Vehicle"], [], None]
    assert _labels(apart, "objects.Colour") == [["Red"], ["Grey (dark)"], [], None]
    red = (apart[0].bboxes or [])[-1]
    assert (red.class_idx, red.confidence, red.width) == (0, 0.25, 1)


def test_an_attribute_given_twice_counts_once_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    twice = _street(_box("Vehicle", _attribute("Colour", "Grey"), _attribute("Colour", "Red")))
    with caplog.at_level(logging.WARNING):
        flat = twice.flatten_attributes("objects", ["Colour"])
    assert _labels(flat)[1] == ["Vehicle.Grey (scratched, dark)", "Vehicle", "Vehicle.Grey"]
    assert caplog.messages == [
        "task 'objects': 1 annotations have the attribute 'Colour' more than once; the first counts."
    ]


def test_what_cannot_be_flattened_is_one_sentence() -> None:
    with pytest.raises(SightlineError, match=r"'Color' is no attribute with fixed .*; did you mean 'Colour'"):
        _street().flatten_attributes("objects", ["Color"])
    with pytest.raises(SightlineError, match="'Note' is no attribute with fixed classes of task 'objects'"):
        _street().flatten_attributes("objects", ["Note"])
    with pytest.raises(SightlineError, match="'Tone' is no attribute"):
        _street().flatten_attributes("objects", ["Tone"])
    pink = _street(_box("Vehicle", _attribute("Colour", "Pink")))
    for into in ("class_name", "tasks"):
        with pytest.raises(SightlineError, match=r"sample 1 .*: attribute 'Colour' is 'Pink', which"):
            pink.flatten_attributes("objects", ["Colour"], into=into)
    with pytest.raises(SightlineError, match=r"has a task 'objects\.Colour' already"):
        _street().rename_task("predictions", "objects.Colour").flatten_attributes("objects", into="tasks")


def test_attributes_of_a_classification() -> None:
    task = TaskInfo(
        primitive=Classification, name="scene", classes=[ClassInfo(name="road", attributes=[COLOUR])]
    )
    grey = _attribute("Colour", "Grey", _attribute("Tone", "light"))
    sample = Sample(file_path=None, height=1, width=1, classifications=[_attribute("scene", "road", grey)])
    dataset = Dataset.from_samples([sample], DatasetInfo(dataset_name="scenes", tasks=[task]))
    assert (dataset.flatten_attributes()[0].classifications or [])[0].label() == "road.Grey.light"


def test_real_cells() -> None:
    cells = Dataset.from_path(shared_data("hafnia-format/bccd-mini"))
    flat = cells.flatten_attributes("bboxes", ["Size"])
    before = [box for sample in cells for box in sample.bboxes or ()]
    after = [box for sample in flat for box in sample.bboxes or ()]
    names = flat.info.task("bboxes").class_names or []
    for old, new in zip(before, after, strict=True):
        size = "".join(f".{attribute.class_name}" for attribute in old.classifications or ())
        assert new.class_name == f"{old.class_name}{size}"
        assert new.class_idx == names.index(new.class_name)
