from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import Bbox, Classification, ClassInfo, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.errors import SightlineError

CLASSES = ["Person", "Vehicle.Car", "Vehicle.Bus", "Vehicle.Trailer", "Animal"]


def _colour(*names: str) -> TaskInfo:
    tone = TaskInfo.from_class_names(Classification, ["light", "dark"], "Tone")
    return TaskInfo(
        primitive=Classification,
        name="Colour",
        classes=[ClassInfo(name=name, attributes=[tone] if name == "grey" else None) for name in names],
    )


INFO = DatasetInfo(
    dataset_name="street",
    tasks=[
        TaskInfo(
            primitive=Bbox,
            name="objects",
            classes=[
                ClassInfo(name=name, attributes=[_colour("red", "grey")] if name == "Vehicle.Car" else None)
                if name != "Vehicle.Bus"
                else ClassInfo(name=name, attributes=[_colour("yellow", "red")])
                for name in CLASSES
            ],
        ),
        TaskInfo.from_class_names(Bbox, CLASSES, "predictions"),
    ],
)


def _box(name: str | None, task: str = "objects", **fields: Any) -> Bbox:
    return Bbox(top_left_x=0, top_left_y=0, width=1, height=1, class_name=name, task_name=task, **fields)


def _coloured(name: str, colour: str, index: int, tone: str | None = None) -> Bbox:
    tones = [Classification(class_name=tone, class_idx=1, task_name="Tone")] if tone else None
    return _box(
        name,
        classifications=[
            Classification(class_name=colour, class_idx=index, task_name="Colour", classifications=tones)
        ],
    )


def _street() -> Dataset:
    lists = [
        [_box("Person"), _coloured("Vehicle.Car", "grey", 1, "dark"), _box("Animal", "predictions")],
        [_coloured("Vehicle.Bus", "yellow", 0), _box("Vehicle.Trailer"), _coloured("Vehicle.Bus", "red", 1)],
        [],
        None,
    ]
    samples = [Sample(file_path=None, height=1, width=1, bboxes=boxes) for boxes in lists]
    return Dataset.from_samples(samples, INFO)


def _names(dataset: Dataset, task: str = "objects") -> list[list[tuple[str | None, int | None]] | None]:
    return [
        None
        if sample.bboxes is None
        else [(box.class_name, box.class_idx) for box in sample.bboxes if box.task_name == task]
        for sample in dataset
    ]


def test_names_before_patterns_and_classes_where_the_first_stood() -> None:
    mapping = {"Vehicle.*": "vehicle", "Vehicle.Trailer": "__REMOVE__", "*": "other"}
    mapped = _street().map_classes(mapping, "objects")
    assert mapped.info.task("objects").class_names == ["other", "vehicle"]
    assert _names(mapped) == [[("other", 0), ("vehicle", 1)], [("vehicle", 1), ("vehicle", 1)], [], None]
    assert _names(mapped, "predictions") == _names(_street(), "predictions")
    assert mapped.info.task("predictions") == INFO.task("predictions")


def test_the_order_of_the_mapping_means_nothing() -> None:
    mapping = {"*": "other", "Vehicle.*": "vehicle", "Vehicle.Trailer": "trailer"}
    backwards = dict(reversed(mapping.items()))
    one, other = (_street().map_classes(m, "objects") for m in (mapping, backwards))
    assert one.samples.equals(other.samples)
    assert one.info == other.info


def test_unmapped_classes_are_kept_removed_or_refused() -> None:
    keep = _street().map_classes({"Person": "human"}, "objects", unmapped="keep")
    assert keep.info.task("objects").class_names == ["human", *CLASSES[1:]]
    remove = _street().map_classes({"Person": "human"}, "objects", unmapped="remove")
    assert remove.info.task("objects").class_names == ["human"]
    assert _names(remove) == [[("human", 0)], [], [], None]
    with pytest.raises(
        SightlineError, match=r"leaves out 2 of the 5 classes of task 'objects': 'Person', 'Animal'; map them"
    ):
        _street().map_classes({"Vehicle.*": "vehicle"}, "objects")


@pytest.mark.parametrize(
    ("mapping", "arguments", "sentence"),
    [
        ({"Persom": "x", "*": "y"}, {}, "'Persom' is no class of task 'objects'; did you mean 'Person'"),
        ({"Person*": "x", "*Person": "y", "*": "z"}, {}, "both fit class 'Person' and map it to different"),
        (
            {"*": "x"},
            {"attribute": "Color"},
            "'Color' is no attribute of task 'objects'; did you mean 'Colour'",
        ),
        ({"blue": "x"}, {"attribute": "Colour"}, "'blue' is no class of attribute 'Colour'; there are 'red'"),
        ({"*": "x"}, {"task": None}, "has several tasks"),
    ],
)
def test_a_mapping_that_cannot_be_is_one_sentence(mapping: dict, arguments: dict, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence):
        _street().map_classes(mapping, **({"task": "objects"} | arguments))


def test_united_classes_have_the_attributes_of_all_and_their_indices_follow() -> None:
    mapped = _street().map_classes({"Vehicle.*": "vehicle"}, "objects", unmapped="keep")
    vehicle = (mapped.info.task("objects").classes or [])[1]
    assert vehicle == ClassInfo(name="vehicle", attributes=[_colour("red", "grey", "yellow")])
    colours = [
        (colour.class_name, colour.class_idx)
        for sample in mapped
        for box in sample.bboxes or ()
        for colour in box.classifications or ()
    ]
    assert colours == [("grey", 1), ("yellow", 2), ("red", 0)]


def test_the_classes_of_an_attribute() -> None:
    mapping = {"red": "warm", "yellow": "warm", "grey": "cold"}
    mapped = _street().map_classes(mapping, "objects", "Colour")
    car, bus = (mapped.info.task("objects").classes or [])[1:3]
    assert [info.name for info in (car.attributes or [])[0].classes or ()] == ["warm", "cold"]
    assert [info.name for info in (bus.attributes or [])[0].classes or ()] == ["warm"]
    boxes = [box for sample in mapped for box in sample.bboxes or () if box.classifications]
    assert [(box.classifications or [])[0].class_name for box in boxes] == ["cold", "warm", "warm"]
    assert [(box.classifications or [])[0].class_idx for box in boxes] == [1, 0, 0]
    assert _names(mapped) == _names(_street())


def test_the_classes_of_an_attributes_attribute() -> None:
    mapped = _street().map_classes({"dark": "__REMOVE__", "light": "pale"}, "objects", ["Colour", "Tone"])
    grey = ((mapped[0].bboxes or [])[1].classifications or [])[0]
    assert (grey.class_name, grey.classifications) == ("grey", [])
    car = (mapped.info.task("objects").classes or [])[1]
    tone = ((car.attributes or [])[0].classes or [])[1].attributes or []
    assert tone[0].class_names == ["pale"]


def test_a_task_without_fixed_classes() -> None:
    info = DatasetInfo(dataset_name="free", tasks=[TaskInfo(primitive=Classification)])
    lists = [[Classification(class_name=name, class_idx=7)] for name in ("one", "two")]
    dataset = Dataset.from_samples(
        [Sample(file_path=None, height=1, width=1, classifications=found) for found in lists], info
    )
    mapped = dataset.map_classes({"one": "1"}, unmapped="keep")
    assert mapped.info.task().classes is None
    assert [(s.classifications or [])[0].class_name for s in mapped] == ["1", "two"]


def test_filter_classes_keeps_some_and_counts_them_anew() -> None:
    kept = _street().filter_classes(["Vehicle.*"], "objects")
    assert kept.info.task("objects").class_names == CLASSES[1:4]
    assert _names(kept)[0] == [("Vehicle.Car", 0)]
    assert _names(kept, "predictions") == _names(_street(), "predictions")
    assert len(kept) == 4


def test_filter_classes_can_drop_the_samples_left_without() -> None:
    kept = _street().filter_classes(["Vehicle.Bus"], "objects", remove_samples=True)
    assert kept.samples["sample_index"].to_list() == [1]
    with pytest.raises(SightlineError, match=r"'Vehicle\.Bas' is no class of task 'objects'; did you mean"):
        _street().filter_classes(["Vehicle.Bas"], "objects")


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.none() | st.lists(st.sampled_from(CLASSES), max_size=4), min_size=1, max_size=6),
    st.dictionaries(st.sampled_from(CLASSES), st.sampled_from(["x", "y", "__REMOVE__"])),
)
def test_mapping_is_what_a_loop_would_do(lists: list[list[str] | None], mapping: dict[str, str]) -> None:
    dataset = Dataset.from_samples(
        [
            Sample(
                file_path=None, height=1, width=1, bboxes=None if names is None else [_box(n) for n in names]
            )
            for names in lists
        ],
        INFO,
    )
    mapped = dataset.map_classes(mapping, "objects", unmapped="keep")
    expected = [
        None if names is None else [mapping.get(n, n) for n in names if mapping.get(n) != "__REMOVE__"]
        for names in lists
    ]
    listed = mapped.info.task("objects").class_names or []
    assert _names(mapped) == [
        None if names is None else [(name, listed.index(name)) for name in names] for names in expected
    ]
