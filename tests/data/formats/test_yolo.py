import logging
import math
import resource
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sightline.data import Bbox, Bitmask, Dataset, DatasetInfo, Point, Polygon, Sample, TaskInfo
from sightline.data.annotation_tables import annotation_table
from sightline.data.formats.yolo_layout import is_yolo
from sightline.errors import SightlineError
from tests.data.factory import CLASSES, HEIGHT, WIDTH, write_picture
from tests.needs import shared_data

BOX = ["top_left_x", "top_left_y", "width", "height"]

on_disk = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def sample(path: Path, split: str = "train", **annotations) -> Sample:
    write_picture(path)
    return Sample(file_path=str(path), height=HEIGHT, width=WIDTH, split=split, **annotations)


def box(class_name: str = "cat", numbers=(0.1, 0.2, 0.3, 0.4), **more) -> Bbox:
    return Bbox(**dict(zip(BOX, numbers, strict=True)), class_name=class_name, **more)


def box_dataset(samples: list[Sample], classes: list[str] | None = CLASSES, name: str = "made-up") -> Dataset:
    task = TaskInfo(primitive=Bbox) if classes is None else TaskInfo.from_class_names(Bbox, classes)
    return Dataset.from_samples(samples, DatasetInfo(dataset_name=name, tasks=[task]))


def yolo_folder(root: Path, labels: dict[str, str | bytes | None], names=("cat", "dog")) -> Path:
    """A folder in the layout of Ultralytics; ``labels`` by "train/1", None for an image without a file."""
    for place, text in labels.items():
        write_picture(root / "images" / f"{place}.png")
        file = root / "labels" / f"{place}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
    splits = sorted({place.split("/")[0] for place in labels})
    config = {split: f"images/{split}" for split in splits} | {"names": list(names)}
    (root / "data.yaml").write_text(yaml.safe_dump(config))
    return root


def rows(dataset: Dataset, column: str = "bboxes") -> pl.DataFrame:
    """The annotations by split and file name, which is the order in which a folder is read."""
    name = pl.col("file_path").str.split("/").list.last().alias("name")
    frame = dataset.samples.with_columns(name).sort("split", "name")
    table = annotation_table(frame, column)
    return table.with_columns(frame["name"][table["position"]], frame["split"][table["position"]])


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# Round trips


def test_a_round_trip_is_equal_row_by_row(tmp_path):
    generator = np.random.default_rng(0)
    samples = []
    for number in range(40):
        sizes = generator.uniform(1e-6, 1, (3, 2))
        corners = generator.uniform(0, 1, (3, 2)) * (1 - sizes)
        numbers = np.hstack([corners, sizes]).tolist()
        boxes = [box(CLASSES[n % len(CLASSES)], row) for n, row in enumerate(numbers)]
        split = ["train", "validation", "test", "UNDEFINED"][number % 4]
        samples.append(sample(tmp_path / "from" / f"{number}.png", split, bboxes=boxes[: number % 4]))
    dataset = box_dataset(samples)
    dataset.to_yolo(tmp_path / "yolo")
    again = Dataset.from_yolo(tmp_path / "yolo", name="made-up")
    assert again.info.tasks == dataset.info.tasks
    assert_frame_equal(rows(again), rows(dataset), check_exact=False, rel_tol=0, abs_tol=1e-9)
    assert [s.bboxes == [] for s in again] == [len(s.bboxes or ()) == 0 for s in again]
    assert sorted(again.samples["split"]) == sorted(dataset.samples["split"])


def test_a_round_trip_of_polygons_is_exact(tmp_path):
    points = [Point(0.1, 1 / 3), Point(0.7, 1e-7), Point(2 / 3, 0.9999999999), Point(0, 1)]
    task = TaskInfo.from_class_names(Polygon, ["cat", "dog"])
    polygons = [Polygon(points=points[:3], class_name="dog"), Polygon(points=points, class_name="cat")]
    dataset = Dataset.from_samples(
        [sample(tmp_path / "1.png", polygons=polygons)], DatasetInfo(dataset_name="p", tasks=[task])
    )
    dataset.to_yolo(tmp_path / "yolo")
    again = Dataset.from_yolo(tmp_path / "yolo")
    assert again[0].polygons == dataset[0].polygons
    assert again.info.tasks == [task]
    assert again[0].bboxes is None


def test_every_box_and_class_of_bccd_survives_voc_and_yolo(tmp_path, caplog):
    voc = Dataset.from_voc(shared_data("bccd"))
    voc.to_yolo(tmp_path / "yolo", how="symlink")
    again = Dataset.from_yolo(tmp_path / "yolo")
    assert len(rows(voc)) == 4886
    columns = ["name", "split", "class_name", "class_idx", *BOX]
    assert_frame_equal(
        rows(again).select(columns), rows(voc).select(columns), check_exact=False, rel_tol=0, abs_tol=1e-9
    )
    assert again.samples["split"].value_counts(sort=True).rows() == [
        ("train", 205), ("validation", 87), ("test", 72)
    ]  # fmt: skip
    assert len(warnings(caplog)) == 1  # of the two boxes without a size that are in the XML files


names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6),
    min_size=1, max_size=4, unique=True,
)  # fmt: skip


@on_disk
@given(classes=names)
@example(classes=["no", "1.0", "null", "~", "[a", "a: b", "# c", " d ", "\u2028", "'", "\x85"])
def test_class_names_of_any_characters_survive(tmp_path_factory, classes):
    folder = tmp_path_factory.mktemp("names")
    dataset = box_dataset([sample(folder / "1.png", bboxes=[box(name) for name in classes])], classes)
    dataset.to_yolo(folder / "yolo")
    again = Dataset.from_yolo(folder / "yolo")
    assert again.info.tasks[0].class_names == classes
    assert [found.class_name for found in again[0].bboxes or ()] == classes


def test_confidences_are_written_on_demand_and_read_as_predictions(tmp_path, caplog):
    boxes = [box(confidence=0.0, ground_truth=False), box(confidence=1 / 3, ground_truth=False), box()]
    dataset = box_dataset([sample(tmp_path / "1.png", bboxes=boxes)])
    dataset.to_yolo(tmp_path / "with", confidence=True)
    again = Dataset.from_yolo(tmp_path / "with")
    assert [(b.confidence, b.ground_truth) for b in again[0].bboxes or ()] == [
        (0.0, False), (1 / 3, False), (None, True)
    ]  # fmt: skip
    assert not warnings(caplog)
    dataset.to_yolo(tmp_path / "without")
    assert (tmp_path / "without/labels/train/1.txt").read_text().count(" ") == 3 * 4
    assert "2 confidences left out" in warnings(caplog)[0]


# Writing


def test_only_one_task_is_written(tmp_path):
    tasks = [
        TaskInfo.from_class_names(Bbox, ["cat"], "truth"),
        TaskInfo.from_class_names(Bbox, ["cat"], "guess"),
    ]
    boxes = [box(task_name="truth"), box(task_name="guess", numbers=(0, 0, 1, 1))]
    dataset = Dataset.from_samples(
        [sample(tmp_path / "1.png", bboxes=boxes)], DatasetInfo(dataset_name="two", tasks=tasks)
    )
    with pytest.raises(SightlineError, match=r"several tasks that YOLO holds: 'truth' \(Bbox\), 'guess'"):
        dataset.to_yolo(tmp_path / "yolo")
    dataset.to_yolo(tmp_path / "yolo", task="guess")
    assert (tmp_path / "yolo/labels/train/1.txt").read_text() == "0 0.5 0.5 1.0 1.0\n"


def test_a_task_that_does_not_fit_is_refused(tmp_path):
    info = DatasetInfo(dataset_name="m", tasks=[TaskInfo.from_class_names(Bitmask, ["cat"])])
    dataset = Dataset.from_samples([sample(tmp_path / "1.png")], info)
    with pytest.raises(SightlineError, match="no task of Bbox or Polygon, which is what YOLO holds"):
        dataset.to_yolo(tmp_path / "yolo")
    with pytest.raises(SightlineError, match="is of Bitmask; YOLO holds Bbox or Polygon"):
        dataset.to_yolo(tmp_path / "yolo", task="mask_detection")


@pytest.mark.parametrize("how", ["copy", "symlink", "hardlink"])
def test_two_files_of_one_name_stay_two(tmp_path, how):
    samples = [
        sample(tmp_path / side / "1.png", bboxes=[box(name)]) for side, name in [("l", "cat"), ("r", "Ärger")]
    ]
    write_picture(tmp_path / "r" / "1.png", seed=7)
    box_dataset(samples).to_yolo(tmp_path / "yolo", how=how)
    again = Dataset.from_yolo(tmp_path / "yolo")
    assert [Path(s.file_path or "").name for s in again] == ["l_1.png", "r_1.png"]
    assert [(s.bboxes or [])[0].class_name for s in again] == ["cat", "Ärger"]
    assert [Path(s.file_path or "").read_bytes() for s in again] == [
        (tmp_path / side / "1.png").read_bytes() for side in "lr"
    ]


def test_the_layout_is_that_of_ultralytics(tmp_path):
    splits = ["train", "validation", "test", "UNDEFINED"]
    dataset = box_dataset([sample(tmp_path / f"{n}.png", split) for n, split in enumerate(splits)])
    dataset.to_yolo(tmp_path / "yolo")
    config = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text(encoding="utf-8"))
    assert config == {
        "train": "images/train", "val": "images/val", "test": "images/test", "undefined": "images/undefined",
        "names": dict(enumerate(CLASSES)),
    }  # fmt: skip
    files = sorted(
        str(f.relative_to(tmp_path / "yolo")) for f in (tmp_path / "yolo").rglob("*.*") if f.is_file()
    )
    assert files == [
        "data.yaml", "images/test/2.png", "images/train/0.png", "images/undefined/3.png", "images/val/1.png",
        "labels/test/2.txt", "labels/train/0.txt", "labels/undefined/3.txt", "labels/val/1.txt",
    ]  # fmt: skip


def test_classes_of_a_task_without_fixed_classes_are_numbered_by_name(tmp_path):
    samples = [sample(tmp_path / "1.png", bboxes=[box("dog"), box("cat")])]
    box_dataset(samples, classes=None).to_yolo(tmp_path / "yolo")
    again = Dataset.from_yolo(tmp_path / "yolo")
    assert again.info.tasks[0].class_names == ["cat", "dog"]
    assert [(b.class_name, b.class_idx) for b in again[0].bboxes or ()] == [("dog", 1), ("cat", 0)]


def test_an_annotation_without_a_class_is_refused(tmp_path):
    dataset = box_dataset(
        [sample(tmp_path / "1.png", bboxes=[Bbox(**dict.fromkeys(BOX, 0.1))])], classes=None
    )
    with pytest.raises(
        SightlineError, match=r"1\.png: an annotation of task 'object_detection' has no class"
    ):
        dataset.to_yolo(tmp_path / "yolo")


def test_boxes_over_the_edge_are_kept_and_counted_where_trainers_refuse_them(tmp_path, caplog):
    numbers = [(-0.1, 0.0, 0.3, 0.2), (0.9, 0.5, 0.4, 0.2), (0.5, 0.5, 0.5, 0.5)]
    dataset = box_dataset([sample(tmp_path / "1.png", bboxes=[box(numbers=n) for n in numbers])])
    dataset.to_yolo(tmp_path / "yolo")
    assert "1 annotations written, which trainers refuse: a number is outside 0..1" in warnings(caplog)[0]
    again = rows(Dataset.from_yolo(tmp_path / "yolo")).select(BOX)
    assert np.abs(again.to_numpy() - np.array(numbers)).max() < 1e-12


def test_polygons_of_two_points_are_left_out_and_counted(tmp_path, caplog):
    task = TaskInfo.from_class_names(Polygon, ["cat"])
    corners = [Point(0, 0), Point(1, 0), Point(1, 1)]
    polygons = [Polygon(points=corners[:count], class_name="cat") for count in range(4)]
    info = DatasetInfo(dataset_name="p", tasks=[task])
    Dataset.from_samples([sample(tmp_path / "1.png", polygons=polygons)], info).to_yolo(tmp_path / "yolo")
    assert (tmp_path / "yolo/labels/train/1.txt").read_text() == "0 0.0 0.0 1.0 0.0 1.0 1.0\n"
    assert "3 polygons of fewer than three points left out" in warnings(caplog)[0]


def test_an_export_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    dataset = box_dataset([sample(tmp_path / "1.png", bboxes=[box()])])

    def fails(label) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sightline.data.formats.yolo._write_text", fails)
    with pytest.raises(KeyboardInterrupt):
        dataset.to_yolo(tmp_path / "out" / "yolo")
    assert list((tmp_path / "out").iterdir()) == []


def test_labels_that_find_no_room_are_refused_by_name(tmp_path):
    dataset = box_dataset([sample(tmp_path / "1.png", bboxes=[box()] * 2000)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))  # bytes; a part of the labels still fits
    try:
        with pytest.raises(SightlineError, match=r"1\.txt: cannot be written"):
            dataset.to_yolo(tmp_path / "out" / "yolo")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "out").iterdir()) == []


def test_only_a_yolo_folder_is_overwritten(tmp_path):
    dataset = box_dataset([sample(tmp_path / "1.png", bboxes=[box()])])
    dataset.to_yolo(tmp_path / "yolo")
    with pytest.raises(SightlineError, match="exists already"):
        dataset.to_yolo(tmp_path / "yolo")
    box_dataset([sample(tmp_path / "2.png")]).to_yolo(tmp_path / "yolo", overwrite=True)
    assert [f.name for f in (tmp_path / "yolo/images/train").iterdir()] == ["2.png"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    with pytest.raises(SightlineError, match=r"has no data\.yaml, so it is not overwritten"):
        dataset.to_yolo(tmp_path / "other", overwrite=True)


def test_links_into_the_folder_that_is_overwritten_are_refused(tmp_path):
    box_dataset([sample(tmp_path / "1.png")]).to_yolo(tmp_path / "yolo")
    with pytest.raises(SightlineError, match="holds the images to be linked to"):
        Dataset.from_yolo(tmp_path / "yolo").to_yolo(tmp_path / "yolo", how="symlink", overwrite=True)


def test_an_image_that_no_reader_would_find_is_refused(tmp_path):
    image = write_picture(tmp_path / "1.png").rename(tmp_path / "1")
    dataset = box_dataset([Sample(file_path=str(image), height=HEIGHT, width=WIDTH)])
    with pytest.raises(SightlineError, match="/1: is not named as an image"):
        dataset.to_yolo(tmp_path / "yolo")


# Layouts


def test_an_image_without_a_label_file_has_no_objects(tmp_path, caplog):
    folder = yolo_folder(tmp_path, {"train/1": "1 0.5 0.5 0.2 0.2", "train/2": None, "train/3": ""})
    dataset = Dataset.from_yolo(folder)
    assert [len(s.bboxes or ()) for s in dataset] == [1, 0, 0]
    assert dataset.samples["bboxes"].null_count() == 0
    assert "1 images without a label file" in warnings(caplog)[0]
    assert "train/2.png" in warnings(caplog)[0]


def test_label_files_without_an_image_are_counted(tmp_path, caplog):
    folder = yolo_folder(tmp_path, {"train/1": "1 0.5 0.5 0.2 0.2", "train/2": "", "train/3": ""})
    (folder / "labels/train/classes.txt").write_text("cat\ndog\n")
    for number in (2, 3):
        (folder / f"images/train/{number}.png").unlink()
    assert len(Dataset.from_yolo(folder)) == 1
    (said,) = warnings(caplog)
    assert "2 label files without an image passed over" in said
    assert "labels/train/2.txt" in said


def test_boxes_and_polygons_are_told_apart_by_their_numbers(tmp_path):
    text = "0 0.5 0.5 0.2 0.2\r\n\t1  0 0 1 0 1 1 \n\n1 .1 .1 .2 .1 .2 .2 .9\n0 5e-1 0.5 0.1 0.1 0.25"
    dataset = Dataset.from_yolo(yolo_folder(tmp_path, {"train/1": text}))
    assert [(b.class_name, b.confidence) for b in dataset[0].bboxes or ()] == [("cat", None), ("cat", 0.25)]
    assert [(p.confidence, len(p.points)) for p in dataset[0].polygons or ()] == [(None, 3), (0.9, 3)]
    assert [task.name for task in dataset.info.tasks] == ["object_detection", "polygon_detection"]


def test_key_points_are_left_out_and_counted(tmp_path, caplog):
    folder = yolo_folder(tmp_path, {"train/1": "0 0.5 0.5 0.2 0.2 0.1 0.1 2 0.3 0.3 1"})
    with (folder / "data.yaml").open("a") as stream:
        stream.write("kpt_shape: [2, 3]\n")
    dataset = Dataset.from_yolo(folder)
    assert [round(b.width, 9) for b in dataset[0].bboxes or ()] == [0.2]
    assert dataset[0].polygons is None
    assert "1 key points left out" in warnings(caplog)[0]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]", {"train": 2, "validation": 1}),
        ("path: /nowhere\ntrain: images/train\nnames: {0: cat, 1: dog}", {"train": 2}),
        ("train: ../images/train\nvalid: ../images/val\nnames: [cat, dog]", {"train": 2, "validation": 1}),
        ("train: [images/train, images/val]\nnames: [cat, dog]", {"train": 3}),
        ("train: lists/train.txt\ntest: lists/test.txt\nnames: [cat, dog]", {"train": 1, "test": 1}),
        ("train: images/train\nval:\ntest: images/val\nnc: 2", {"train": 2, "test": 1}),
    ],
)  # fmt: skip
def test_the_spellings_of_a_yaml_file(tmp_path, config, expected):
    label = "1 0.5 0.5 0.2 0.2"
    folder = yolo_folder(tmp_path / "set", {"train/1": label, "train/2": label, "val/3": label})
    (folder / "lists").mkdir()
    (folder / "lists/train.txt").write_text("./../images/train/2.png\n")
    (folder / "lists/test.txt").write_text(f"{folder}/images/val/3.png\n")
    (folder / "data.yaml").write_text(config)
    dataset = Dataset.from_yolo(folder / "data.yaml")
    assert dict(dataset.samples["split"].value_counts().rows()) == expected
    assert dataset.info.dataset_name == "set"
    assert rows(dataset)["class_idx"].to_list() == [1] * len(dataset)


def test_labels_lie_beside_images_or_in_the_last_folder_named_labels(tmp_path):
    root = tmp_path / "images" / "set"  # a folder above that is called images does not count
    folder = yolo_folder(root, {"train/1": "0 0.5 0.5 0.2 0.2"})
    for image in ("train/images/2.png", "plain/3.png"):
        write_picture(folder / image)
    (folder / "train/labels").mkdir(parents=True)
    (folder / "train/labels/2.txt").write_text("1 0.5 0.5 0.3 0.3")
    (folder / "plain/3.txt").write_text("1 0.5 0.5 0.4 0.4")
    (folder / "data.yaml").write_text("train: [images/train, train/images, plain]\nnames: [cat, dog]")
    assert [round(w, 9) for w in rows(Dataset.from_yolo(folder))["width"]] == [0.2, 0.3, 0.4]


def test_darknet_lists_and_names(tmp_path):
    for number in range(3):
        write_picture(tmp_path / "set" / "data" / "obj" / f"{number}.png")
        (tmp_path / "set" / "data" / "obj" / f"{number}.txt").write_text(f"{number % 2} 0.5 0.5 0.2 0.2\n")
    data = tmp_path / "set" / "data"
    (data / "obj.names").write_text("cat\ndog\n\n")
    (data / "train.txt").write_text("data/obj/1.png\ndata/obj/0.png\n")
    (data / "valid.txt").write_text("data/obj/2.png\n")
    dataset = Dataset.from_yolo(tmp_path / "set")
    assert [(s.split, (s.bboxes or [])[0].class_name) for s in dataset] == [
        ("train", "dog"), ("train", "cat"), ("validation", "cat")
    ]  # fmt: skip
    assert is_yolo(tmp_path / "set")


def test_the_layout_of_the_hafnia_package(tmp_path):
    (tmp_path / "obj.names").write_text("cat\ndog")
    write_picture(tmp_path / "test" / "data" / "a.png")
    (tmp_path / "test" / "data" / "a.txt").write_text("1 0.5 0.5 0.2 0.2")
    (tmp_path / "test" / "images.txt").write_text("data/a.png")
    dataset = Dataset.from_yolo(tmp_path)
    assert [(s.split, (s.bboxes or [])[0].class_name) for s in dataset] == [("test", "dog")]


def test_images_and_labels_side_by_side_with_classes_txt(tmp_path):
    write_picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2")
    (tmp_path / "classes.txt").write_text("cat\n")
    dataset = Dataset.from_yolo(tmp_path, split="test")
    assert [(s.split, (s.bboxes or [])[0].class_name) for s in dataset] == [("test", "cat")]


def test_it_is_recognised_by_names_alone(tmp_path):
    assert is_yolo(yolo_folder(tmp_path / "yolo", {"train/1": ""}))
    assert is_yolo(tmp_path / "yolo" / "data.yaml")
    assert not is_yolo(tmp_path / "yolo" / "labels" / "train" / "1.txt")
    assert not is_yolo(tmp_path)
    assert not is_yolo(tmp_path / "nothing")
    (tmp_path / "recipe.yaml").write_text("a: b")
    assert not is_yolo(tmp_path)


def test_sizes_obey_exif(tmp_path):
    from PIL import Image

    folder = yolo_folder(tmp_path, {"train/1": ""})
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (30, 20)).save(folder / "images/train/2.jpg", exif=turned)
    assert [(s.height, s.width) for s in Dataset.from_yolo(folder)] == [(HEIGHT, WIDTH), (30, 20)]


# Malformed input


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 0.5 0.5 0.2", r"line 1: '0 0\.5 0\.5 0\.2' is neither"),
        ("0 0.5 0.5 0.2 0.2\n\n0 0.5 x 0.2 0.2", r"line 3: .* holds something that is no number"),
        ("2 0.5 0.5 0.2 0.2", "is of a class that is not one of the 2 named"),
        ("-1 0.5 0.5 0.2 0.2", "is of a class"),
        ("0.5 0.5 0.5 0.2 0.2", "is of a class"),
        ("nan 0.5 0.5 0.2 0.2", "is of a class"),
        ("0 0.5 0.5 0.2 0.2 1.5", "ends in a confidence outside 0..1"),
        ("0 320 240 20 30", "far outside its image"),
        ("0 0 0 640 0 640 480", "has a point that is far outside its image"),
        ("0 0 0 nan 0 1 1", "or no number"),
        (b"0 0.5 \xff 0.2 0.2", "not UTF-8 text"),
    ],
)
def test_a_label_that_cannot_be_read_is_refused_by_file_and_line(tmp_path, text, problem):
    folder = yolo_folder(tmp_path, {"train/1": "0 0.5 0.5 0.2 0.2", "train/2": text})
    with pytest.raises(SightlineError, match=rf"labels/train/2\.txt.*{problem}"):
        Dataset.from_yolo(folder)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("0 0.5 0.5 0 0.2", "boxes of no size left out"),
        ("0 0.9 0.5 0.4 0.2", "boxes that reach over the edge of their image kept"),
        ("0 0.5 0.5 1.2 0.9 0.9 1", "polygons that reach over the edge of their image kept"),
    ],
)
def test_annotations_that_are_doubtful_are_counted(tmp_path, caplog, label, kind):
    good = "1 0.5 0.5 0.2 0.2"
    folder = yolo_folder(tmp_path, {"train/1": good, "train/2": f"{good}\n{label}\n{label}\n{good}"})
    dataset = Dataset.from_yolo(folder)
    kept = len(rows(dataset)) + len(rows(dataset, "polygons"))
    assert kept == (3 if "left out" in kind else 5)
    assert len(warnings(caplog)) == 1
    assert f": 2 {kind}" in warnings(caplog)[0]
    assert "labels/train/2.txt line 2" in warnings(caplog)[0]


numbers = st.sampled_from(["0", "1", "2", "0.5", "nan", "-1", "1e9", "x", "", "0.25 0.5", "\t", "inf", "é"])
lines = st.lists(numbers, max_size=9).map(" ".join)


@on_disk
@given(contents=st.lists(lines, max_size=4).map("\n".join).map(str.encode) | st.binary(max_size=30))
@example(contents=b"\xef\xbb\xbf0 0.5 0.5 0.2 0.2")
def test_any_label_file_is_read_counted_or_refused(tmp_path_factory, caplog, contents):
    caplog.clear()
    folder = yolo_folder(tmp_path_factory.mktemp("any"), {"train/1": contents})
    try:
        dataset = Dataset.from_yolo(folder)
    except SightlineError as error:
        assert "labels/train/1.txt" in str(error)  # noqa: PT017
        return
    text = contents.decode("utf-8-sig")
    given_ = sum(bool(line.split()) for line in text.replace("\r", "\n").split("\n"))
    kept = len(dataset[0].bboxes or ()) + len(dataset[0].polygons or ())
    left_out = [message for message in warnings(caplog) if "left out" in message]
    counted = sum(int(message.split(": ")[1].split()[0]) for message in left_out)
    assert given_ == kept + counted


@on_disk
@given(cut=st.floats(0, 1))
def test_a_truncated_yaml_file_is_read_or_refused_by_name(tmp_path_factory, cut):
    folder = yolo_folder(tmp_path_factory.mktemp("cut"), {"train/1": "0 0.5 0.5 0.2 0.2"})
    text = (folder / "data.yaml").read_text()
    (folder / "data.yaml").write_text(text[: math.floor(cut * len(text))])
    try:
        dataset = Dataset.from_yolo(folder)
    except SightlineError as error:
        assert str(folder) in str(error)  # noqa: PT017
    else:
        assert len(rows(dataset)) == 1


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("names: [cat]", "names no images"),
        ("train: images/train", "names: is missing"),
        ("train: images/train\nnames: cat", "names: is missing"),
        ("train: images/train\nnames: {a: cat}", "must number classes from 0"),
        ("train: images/train\nnames: {-1: cat}", "at most 100000 classes from 0"),
        ("train: images/train\nnames: {99999999999: cat}", "at most 100000 classes from 0"),
        ("train: images/train\nnc: 99999999999", "at most 100000 classes from 0"),
        ("train: images/train\nnames: [[cat]]", "something that is no name"),
        ("train: images/gone\nnames: [cat]", "train: names 'images/gone', which is not there"),
        ("train: {a: b}\nnames: [cat]", "which is not there"),
        ("- a\n- b", "holds no keys"),
        ("a: [", "not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", "names no images"),
        (b"names: [\xff]", "not UTF-8"),
    ],
)
def test_a_wrong_yaml_file_is_refused_by_name(tmp_path, config, problem):
    folder = yolo_folder(tmp_path, {"train/1": ""})
    (folder / "data.yaml").write_bytes(config if isinstance(config, bytes) else config.encode())
    with pytest.raises(SightlineError, match=problem) as caught:
        Dataset.from_yolo(folder)
    assert "data.yaml" in str(caught.value)


def test_gaps_and_repetitions_in_class_names_keep_the_numbers(tmp_path, caplog):
    folder = yolo_folder(tmp_path, {"train/1": "3 0.5 0.5 0.2 0.2"})
    (folder / "data.yaml").write_text("train: images/train\nnames: {0: cat, 1: cat, 3: dog}")
    dataset = Dataset.from_yolo(folder)
    assert dataset.info.tasks[0].class_names == ["cat", "cat_2", "class_2", "dog"]
    assert (dataset[0].bboxes or [])[0].class_name == "dog"
    assert "1 classes of the same name told apart; the first is 'cat' as 'cat_2'" in warnings(caplog)[0]


def test_a_missing_image_is_named(tmp_path):
    folder = yolo_folder(tmp_path, {"train/1": ""})
    (folder / "list.txt").write_text("images/train/1.png\nimages/train/2.png\n")
    (folder / "data.yaml").write_text("train: list.txt\nnames: [cat]")
    with pytest.raises(SightlineError, match=r"images/train/2\.png: image not found"):
        Dataset.from_yolo(folder)


def test_an_image_listed_twice_is_read_once_and_counted(tmp_path, caplog):
    folder = yolo_folder(tmp_path, {"train/1": ""})
    (folder / "data.yaml").write_text("train: [images/train, images]\nnames: [cat]")
    assert len(Dataset.from_yolo(folder)) == 1
    assert "1 images listed twice read once" in warnings(caplog)[0]


def test_an_image_in_several_splits_is_in_the_first_and_counted(tmp_path, caplog):
    folder = yolo_folder(tmp_path, {"train/1": "", "train/2": "", "val/3": ""})
    (folder / "data.yaml").write_text("val: [images/val, images/train]\ntrain: images/train\nnames: [cat]")
    dataset = Dataset.from_yolo(folder)
    assert [(Path(s.file_path or "").stem, s.split) for s in dataset] == [
        ("1", "train"), ("2", "train"), ("3", "validation"),
    ]  # fmt: skip
    (said,) = warnings(caplog)
    assert "2 images listed in several splits put into the first; the first is" in said
    assert "images/train/1.png in validation" in said


def test_a_broken_image_is_named(tmp_path):
    folder = yolo_folder(tmp_path, {"train/1": ""})
    (folder / "images/train/1.png").write_bytes(b"no picture")
    with pytest.raises(SightlineError, match=r"train/1\.png: cannot be read as an image"):
        Dataset.from_yolo(folder)


def test_folders_that_are_no_yolo_datasets_are_refused(tmp_path):
    with pytest.raises(SightlineError, match="no such file or folder"):
        Dataset.from_yolo(tmp_path / "nothing")
    with pytest.raises(SightlineError, match=r"holds no data\.yaml"):
        Dataset.from_yolo(tmp_path)
    (tmp_path / "obj.names").write_text("cat")
    with pytest.raises(SightlineError, match="holds no images"):
        Dataset.from_yolo(tmp_path)


@on_disk
@given(
    st.lists(
        st.tuples(st.floats(-1, 2), st.floats(-1, 2), st.floats(1e-9, 1), st.floats(1e-9, 1)), min_size=1
    )
)
def test_any_box_survives_to_a_billionth_of_the_image(tmp_path_factory, boxes):
    assume(all(-1.5 < x + w < 2.5 and -1.5 < y + h < 2.5 for x, y, w, h in boxes))
    folder = tmp_path_factory.mktemp("boxes")
    dataset = box_dataset([sample(folder / "1.png", bboxes=[box(numbers=numbers) for numbers in boxes])])
    dataset.to_yolo(folder / "yolo")
    again = rows(Dataset.from_yolo(folder / "yolo")).select(BOX).to_numpy()
    assert np.abs(again - np.array(boxes)).max() <= 1e-9
