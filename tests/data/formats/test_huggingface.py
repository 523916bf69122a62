import logging
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.data import (
    Bbox,
    Classification,
    Dataset,
    DatasetInfo,
    Polygon,
    Sample,
    Segmentation,
    TaskInfo,
)
from sightline.data.formats.huggingface import is_huggingface
from sightline.data.formats.huggingface.library import library
from sightline.data.splits import SPLITS
from sightline.errors import SightlineError
from tests.data.factory import CLASSES, HEIGHT, WIDTH, write_picture
from tests.needs import needs

datasets: Any = import_module("datasets") if find_spec("datasets") else None


@pytest.fixture(autouse=True, scope="module")
def _library() -> None:
    needs("the extra huggingface", datasets is not None)


INFO = DatasetInfo(
    dataset_name="made-up",
    tasks=[
        TaskInfo.from_class_names(Classification, CLASSES),
        TaskInfo.from_class_names(Classification, ["day", "night"], "light"),
        TaskInfo.from_class_names(Bbox, CLASSES),
        TaskInfo.from_class_names(Segmentation, ["sky", "land"]),
    ],
)


def _classification(names: list[str], task: str) -> st.SearchStrategy[Classification]:
    return st.builds(Classification, class_name=st.sampled_from(names), task_name=st.just(task))


_boxes = st.builds(
    Bbox,
    top_left_x=st.floats(0, 0.5),
    top_left_y=st.floats(0, 0.5),
    width=st.floats(0.01, 1),
    height=st.floats(0.01, 1),
    class_name=st.sampled_from(CLASSES),
    object_id=st.none() | st.just("7"),
    confidence=st.none() | st.floats(0, 1),
)


@st.composite
def _samples(draw: st.DrawFn, path: str) -> Sample:
    edge = draw(st.integers(1, HEIGHT - 1))
    sky = np.zeros((HEIGHT, WIDTH), dtype=bool)
    sky[:edge] = True
    maps = [Segmentation.from_mask(sky, class_name="sky"), Segmentation.from_mask(~sky, class_name="land")]
    labels = draw(st.none() | st.lists(_classification(CLASSES, "image_classification"), max_size=2))
    light = draw(st.lists(_classification(["day", "night"], "light"), max_size=1))
    return Sample(
        file_path=path,
        height=HEIGHT,
        width=WIDTH,
        split=draw(st.sampled_from(SPLITS)),
        classifications=None if labels is None else labels + light,
        bboxes=draw(st.none() | st.lists(_boxes, max_size=3)),
        bitmasks=draw(st.none() | st.just(maps[: draw(st.integers(0, 2))])),
    )


def _assert_same(before: Dataset, after: Dataset) -> None:
    """Annotations are equal, boxes to what floating point loses between fractions and pixels."""
    assert after.info.tasks == before.info.tasks
    in_order = sorted(before, key=lambda sample: SPLITS.index(sample.split))
    for sample, same in zip(in_order, after, strict=True):
        assert (sample.height, sample.width, sample.split) == (same.height, same.width, same.split)
        assert sample.classifications == same.classifications
        assert sample.bitmasks == same.bitmasks
        assert (sample.bboxes is None) == (same.bboxes is None)
        for box, other in zip(sample.bboxes or (), same.bboxes or (), strict=True):
            assert box.to_pixels(1, 1) == pytest.approx(other.to_pixels(1, 1), abs=1e-12)
            assert (box.class_name, box.object_id, box.confidence) == (
                other.class_name,
                other.object_id,
                other.confidence,
            )


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_samples_survive_in_memory(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(write_picture(Path(folder) / f"{number}.png", number)) for number in range(4)]
        dataset = Dataset.from_samples([data.draw(_samples(path)) for path in paths], INFO)
        exported = dataset.to_huggingface()
        again = Dataset.from_huggingface(exported, classes=["sky", "land"])
        assert sorted(again.samples["file_path"]) == paths  # images stay where they are
        _assert_same(dataset, again)
        for split, part in exported.items():
            for row, sample in zip(part, (s for s in dataset if s.split == split), strict=True):
                assert (np.asarray(row["image"]) == sample.read_image()).all()


def _made(folder: Path) -> Dataset:
    sky = np.ones((HEIGHT, WIDTH), dtype=bool)
    samples = [
        Sample(
            file_path=str(write_picture(folder / f"{number}.jpg", number)),
            height=HEIGHT, width=WIDTH, split=split,
            classifications=[Classification(class_name=CLASSES[number])],
            bboxes=[Bbox(top_left_x=0.25, top_left_y=0.5, width=0.5, height=0.25, class_name="cat")] * number,
            bitmasks=[Segmentation.from_mask(sky, class_name="land")],
        )
        for number, split in enumerate(["train", "train", "test"])
    ]  # fmt: skip
    return Dataset.from_samples(samples, INFO)


def test_on_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = _made(tmp_path / "in")
    dataset.to_huggingface(tmp_path / "hf")
    for path in (tmp_path / "in").iterdir():
        path.rename(path.with_name(f"moved-{path.name}"))  # the folder holds its own images
    again = Dataset.from_huggingface(tmp_path / "hf", folder=tmp_path / "images", classes=["sky", "land"])
    assert again.info.dataset_name == "made-up"
    for before, after in zip(sorted((tmp_path / "in").iterdir()), again.samples["file_path"], strict=True):
        assert before.read_bytes() == Path(after).read_bytes()
        assert after.endswith(".jpg")
    assert is_huggingface(tmp_path / "hf")
    assert not is_huggingface(tmp_path / "in")
    with pytest.raises(SightlineError, match=r"give a folder to put them in, folder=\."):
        Dataset.from_huggingface(tmp_path / "hf")
    with pytest.raises(SightlineError, match="exists already"):
        again.to_huggingface(tmp_path / "hf")
    again[:1].to_huggingface(tmp_path / "hf", overwrite=True)
    one = Dataset.from_huggingface(tmp_path / "hf" / "train", folder=tmp_path / "images")
    assert [s.split for s in one] == ["train"]
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_the_library_opens_what_is_written(tmp_path: Path) -> None:
    dataset = _made(tmp_path / "in")
    dataset.to_huggingface(tmp_path / "hf")
    opened = datasets.load_from_disk(str(tmp_path / "hf"))
    assert opened["train"].features["label"].names == CLASSES
    row = opened["test"][0]
    assert row["label"] == 2
    assert row["objects"][0] == {"bbox": [4.0, 6.0, 8.0, 3.0], "category": 0}
    assert (np.asarray(row["mask"]) == 1).all()


def _rows(tmp_path: Path, **columns: tuple[list[Any], Any]) -> Any:
    count = len(next(iter(columns.values()))[0])
    paths = [str(write_picture(tmp_path / f"{n}.png", n, (50, 100))) for n in range(count)]
    values = {"image": paths} | {name: values for name, (values, _) in columns.items()}
    features = {"image": datasets.Image()} | {name: feature for name, (_, feature) in columns.items()}
    return datasets.Dataset.from_dict(values, features=datasets.Features(features))


def _of_boxes(tmp_path: Path, boxes: list[list[float]], categories: list[Any], kind: Any = None) -> Any:
    feature = {"bbox": datasets.List(datasets.List(datasets.Value("float32"))), "category": datasets.List(
        kind or datasets.ClassLabel(names=["a", "b"])
    )}  # fmt: skip
    return _rows(tmp_path, objects=([{"bbox": boxes, "category": categories}], feature))


@pytest.mark.parametrize(
    ("options", "box"),
    [
        ({}, [10, 20, 30, 10]),
        ({"box_format": "xyxy"}, [10, 20, 40, 30]),
        ({"box_format": "cxcywh", "units": "fractions"}, [0.25, 0.5, 0.3, 0.2]),
        ({"units": "fractions"}, [0.1, 0.4, 0.3, 0.2]),
    ],
)
def test_kinds_of_boxes(tmp_path: Path, options: dict[str, Any], box: list[float]) -> None:
    dataset = Dataset.from_huggingface(_of_boxes(tmp_path, [box], [1]), **options)
    (found,) = dataset[0].bboxes or ()
    assert found.class_name == "b"
    assert found.to_pixels(100, 50) == pytest.approx((10, 20, 40, 30), rel=1e-6)


def test_bad_boxes_are_counted_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    boxes = [[1, 2, 0, 4], [1, 2, 3, 0], [10, 20, 30, 10]]
    good = _of_boxes(tmp_path, [[10, 20, 30, 10]], [1])
    source = datasets.DatasetDict({"train": good, "test": _of_boxes(tmp_path, boxes, [0, 1, 1])})
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = Dataset.from_huggingface(source, name="pets")
    assert [len(sample.bboxes or ()) for sample in dataset] == [1, 1]
    assert "2 boxes of no size left out; the first is pets: split 'test', row 0, 'objects'" in caplog.text


def test_labels_of_any_kind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = _rows(
        tmp_path,
        fine=([0, 1, None], datasets.ClassLabel(names=["u", "v"])),
        label=(["x", None, "w"], datasets.Value("string")),
        tags=([[0, 1], [], None], datasets.List(datasets.ClassLabel(names=["s", "t"]))),
        caption=(["q"] * 3, datasets.Value("string")),
    )
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = Dataset.from_huggingface(source, split="test")
    found = [[(c.task_name, c.class_name) for c in s.classifications or ()] for s in dataset]
    label = "image_classification"
    assert found == [
        [("fine", "u"), (label, "x"), ("tags", "s"), ("tags", "t")],
        [("fine", "v")],
        [(label, "w")],
    ]
    assert {task.name: task.class_names for task in dataset.info.tasks} == {
        "fine": ["u", "v"], label: ["w", "x"], "tags": ["s", "t"],
    }  # fmt: skip
    assert {s.split for s in dataset} == {"test"}
    assert "1 columns that hold no task left out; the first is caption" in caplog.text
    chosen = Dataset.from_huggingface(source, labels=["caption"], objects=[])
    assert [task.name for task in chosen.info.tasks] == ["caption"]


def test_a_shuffled_selection_is_read_in_its_order(tmp_path: Path) -> None:
    source = (
        _rows(tmp_path, label=(list(range(6)), datasets.Value("int64"))).shuffle(seed=1).select([4, 0, 2])
    )
    dataset = Dataset.from_huggingface(source)
    assert [int((s.classifications or [])[0].class_name or 0) for s in dataset] == source["label"][:]
    assert [Path(s.file_path or "").stem for s in dataset] == [str(label) for label in source["label"]]


def _picture_bytes(number: int = 0) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".png") as stream:
        write_picture(Path(stream.name), number, (50, 100))
        return Path(stream.name).read_bytes()


@given(cut=st.integers(0, 32))
@settings(max_examples=10, deadline=None)
def test_damaged_images_are_named(cut: int) -> None:
    whole, damaged = _picture_bytes(), _picture_bytes()[:cut]
    content = [{"bytes": whole, "path": None}, {"bytes": damaged, "path": "cut.png"}]
    features = datasets.Features({"image": datasets.Image()})
    source = datasets.Dataset.from_dict({"image": content}, features=features)
    good = datasets.Dataset.from_dict({"image": content[:1] * 3}, features=features)
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.raises(
            SightlineError, match=r"pets: split 'test', row 1 \(cut\.png\): cannot be read as an image"
        ) as caught,
    ):
        Dataset.from_huggingface(
            datasets.DatasetDict({"train": good, "test": source}), name="pets", folder=folder
        )
    assert "BytesIO" not in str(caught.value)


def test_what_makes_no_sense_is_one_sentence(tmp_path: Path) -> None:
    good = _of_boxes(tmp_path, [[1, 2, 3, 4]], [0])
    integers = datasets.Value("int64")
    torn = _of_boxes(tmp_path, [[1, 2, 3, 4]], [0, 1])
    colours = {"bytes": _picture_bytes(), "path": None}
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (3, {}, "a int is no datasets.Dataset"),
        (datasets.DatasetDict(), {}, "a DatasetDict is no datasets.Dataset"),
        (tmp_path / "nowhere", {}, "nowhere: no such folder"),
        (good, {"labels": ["breed"]}, "there is no column 'breed' in this dataset; it has image, objects"),
        (good, {"labels": ["objects"], "objects": ["image"]}, "does not hold that"),
        (good.remove_columns("image"), {}, "no column 'image' of images; it has objects"),
        (torn, {}, "split 'UNDEFINED', row 0: 'objects' has lists of 1 and 2; mend it"),
        (_of_boxes(tmp_path, [[1, 2, 3]], [0]), {}, r"row 0: a box in 'objects' is .*expected four numbers"),
        (_rows(tmp_path, mask=([colours], datasets.Image())), {}, "row 0: the label map is uint8"),
        (datasets.DatasetDict({"train": good, "test": _rows(tmp_path, label=([0], integers))}), {},
         "split 'test' of .* has other columns"),
    ]  # fmt: skip
    for source, options, sentence in cases:
        with pytest.raises(SightlineError, match=sentence):
            Dataset.from_huggingface(source, **options)


def test_label_maps(tmp_path: Path) -> None:
    def stored(values: np.ndarray) -> dict[str, Any]:
        Image.fromarray(values).save(tmp_path / "map.png")
        return {"bytes": (tmp_path / "map.png").read_bytes(), "path": None}

    values = np.zeros((50, 100), np.uint8)
    values[10:], values[40:] = 3, 255
    dataset = Dataset.from_huggingface(_rows(tmp_path, mask=([stored(values), None], datasets.Image())))
    assert dataset.info.task().primitive is Segmentation
    assert [(m.class_name, m.top, m.height) for m in dataset[0].bitmasks or ()] == [
        ("0", 0, 10),
        ("3", 10, 30),
    ]
    assert dataset[1].bitmasks is None
    source = _rows(tmp_path, mask=([stored(values)], datasets.Image()))
    with pytest.raises(
        SightlineError, match="row 0: 'mask' holds the number 3, which is none of the 2 classes"
    ):
        Dataset.from_huggingface(source, classes=["a", "b"])
    source = _rows(tmp_path, mask=([stored(values[:7])], datasets.Image()))
    with pytest.raises(SightlineError, match="row 0: 'mask' is 7 x 100 pixels, but its image has 50 x 100"):
        Dataset.from_huggingface(source)


def test_what_has_no_column_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sample = Sample(
        file_path=str(write_picture(tmp_path / "x.png")), height=HEIGHT, width=WIDTH,
        polygons=[Polygon(points=[], class_name="a")],
    )  # fmt: skip
    info = DatasetInfo(dataset_name="x", tasks=[TaskInfo.from_class_names(Polygon, ["a"])])
    with caplog.at_level(logging.WARNING, "sightline.data"):
        exported = Dataset.from_samples([sample], info).to_huggingface()
    assert exported["UNDEFINED"].column_names == ["image"]
    assert (
        "1 annotations of task 'polygon_detection' left out, as this format has no place for them"
        in caplog.text
    )


def test_two_tasks_for_one_column_are_refused(tmp_path: Path) -> None:
    tasks = [
        TaskInfo.from_class_names(Classification, ["a"]),
        TaskInfo.from_class_names(Bbox, ["a"], "label"),
    ]
    sample = Sample(file_path=str(write_picture(tmp_path / "x.png")), height=HEIGHT, width=WIDTH)
    dataset = Dataset.from_samples([sample], DatasetInfo(dataset_name="x", tasks=tasks))
    with pytest.raises(SightlineError, match="task 'label' needs the column 'label', which is taken"):
        dataset.to_huggingface()


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SightlineError, match=r"run pip install 'sightline\[huggingface\]'"):
        library()
