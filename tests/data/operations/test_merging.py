import hashlib
import os
import subprocess
import sys

import pytest

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    ClassInfo,
    Dataset,
    DatasetInfo,
    Sample,
    Segmentation,
    TaskInfo,
)
from sightline.errors import SightlineError
from tests.needs import shared_data


def _dataset(name: str, classes: list[str] | None, boxes: list[str] | None, **info) -> Dataset:
    task = TaskInfo(primitive=Bbox, classes=classes and [ClassInfo(name=c) for c in classes])
    found = boxes and [Bbox(top_left_x=0, top_left_y=0, width=1, height=1, class_name=n) for n in boxes]
    sample = Sample(file_path=f"/{name}.png", height=1, width=1, bboxes=found)
    return Dataset.from_samples([sample, sample], DatasetInfo(dataset_name=name, tasks=[task], **info))


def _classes(dataset: Dataset) -> list[list[tuple[str | None, int | None]]]:
    return [[(box.class_name, box.class_idx) for box in sample.bboxes or ()] for sample in dataset]


def test_classes_are_united_in_order_and_counted_anew() -> None:
    merged = Dataset.merge(
        [_dataset("a", ["cat", "dog"], ["dog"]), _dataset("b", ["fox", "dog"], ["fox", "dog"])]
    )
    assert merged.info.task().class_names == ["cat", "dog", "fox"]
    assert _classes(merged) == [[("dog", 1)]] * 2 + [[("fox", 2), ("dog", 1)]] * 2
    assert merged.samples["sample_index"].to_list() == [0, 1, 2, 3]
    assert merged.samples["dataset_name"].to_list() == ["a", "a", "b", "b"]


def test_what_they_agree_on_is_kept() -> None:
    one = _dataset("a", ["cat"], ["cat"], description="pets", dataset_title="A", version="2.0.0")
    other = _dataset("b", ["cat"], ["cat"], description="pets", dataset_title="B")
    merged = Dataset.merge([one, other])
    assert (merged.info.dataset_name, merged.info.version) == ("a+b", "1.0.0")
    assert (merged.info.description, merged.info.dataset_title) == ("pets", None)
    assert merged.info.updated_at == other.info.updated_at
    named = Dataset.merge([one, one], name="twice", version="3.0.0")
    assert (named.info.dataset_name, named.info.version) == ("twice", "3.0.0")
    assert Dataset.merge([one, one]).info.dataset_name == "a"


def test_what_only_one_was_annotated_for_stays_unknown_in_the_other() -> None:
    masks = Dataset.from_samples(
        [Sample(file_path="/m.png", height=1, width=1, bitmasks=[])],
        DatasetInfo(dataset_name="m", tasks=[TaskInfo.from_class_names(Bitmask, ["cell"])]),
    )
    merged = Dataset.merge([_dataset("a", ["cat"], []), masks])
    assert [task.name for task in merged.info.tasks] == ["object_detection", "mask_detection"]
    assert [(s.bboxes, s.bitmasks) for s in merged] == [([], None), ([], None), (None, [])]


def test_a_task_without_fixed_classes_opens_the_other() -> None:
    merged = Dataset.merge([_dataset("a", ["cat"], ["cat"]), _dataset("b", None, ["anything"])])
    assert merged.info.task().classes is None
    assert [names[0][0] for names in _classes(merged)] == ["cat", "cat", "anything", "anything"]


def test_tasks_of_one_name_and_two_primitives_are_refused() -> None:
    def masks(primitive: type[Bitmask]) -> Dataset:
        tasks = [TaskInfo.from_class_names(primitive, ["cell"], "cells")]
        info = DatasetInfo(dataset_name=primitive.__name__, tasks=tasks)
        return Dataset.from_samples([Sample(file_path="/m.png", height=1, width=1, bitmasks=[])], info)

    sentence = (
        "'cells' is a Bitmask in dataset 'Bitmask' and a Segmentation in dataset 'Segmentation'; rename"
    )
    with pytest.raises(SightlineError, match=sentence):
        Dataset.merge([masks(Bitmask), masks(Segmentation)])
    renamed = masks(Segmentation).rename_task("cells", "ground")
    assert len(Dataset.merge([masks(Bitmask), renamed]).info.tasks) == 2
    with pytest.raises(SightlineError, match="there are no datasets to merge"):
        Dataset.merge([])


def test_attributes_of_one_class_are_united_and_counted_anew() -> None:
    def coloured(name: str, colours: list[str]) -> Dataset:
        colour = TaskInfo.from_class_names(Classification, colours, "Colour")
        task = TaskInfo(primitive=Bbox, classes=[ClassInfo(name="car", attributes=[colour])])
        attribute = Classification(class_name=colours[0], class_idx=0, task_name="Colour")
        box = Bbox(
            top_left_x=0, top_left_y=0, width=1, height=1, class_name="car", classifications=[attribute]
        )
        sample = Sample(file_path="/c.png", height=1, width=1, bboxes=[box])
        return Dataset.from_samples([sample], DatasetInfo(dataset_name=name, tasks=[task]))

    merged = Dataset.merge([coloured("a", ["red", "blue"]), coloured("b", ["grey", "red"])])
    car = (merged.info.task().classes or [])[0]
    assert (car.attributes or [])[0].class_names == ["red", "blue", "grey"]
    found = [((s.bboxes or [])[0].classifications or [])[0] for s in merged]
    assert [(colour.class_name, colour.class_idx) for colour in found] == [("red", 0), ("grey", 2)]


def test_merging_does_not_depend_on_pythonhashseed() -> None:
    root = shared_data("hafnia-format")
    program = f"""
import hashlib
from sightline.data import Dataset
parts = [Dataset.from_path(r"{root}" + name) for name in ("/bccd-mini", "/micro-coco-2017", "/bccd-mini")]
merged = Dataset.merge(parts).map_classes({{"RBC": "cell", "WBC": "cell"}}, "bboxes", unmapped="keep")
text = merged.info.model_dump_json() + merged.samples.write_json()
print(hashlib.sha256(text.encode()).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == len(hashlib.sha256().hexdigest())
