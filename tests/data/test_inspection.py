from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    ClassInfo,
    Dataset,
    DatasetInfo,
    Point,
    Polygon,
    Sample,
    TaskInfo,
)
from sightline.data.inspection import PROBLEMS
from tests.data.factory import HEIGHT, INFO, WIDTH, write_picture


def sample(path: Path, **fields) -> Sample:
    return Sample(file_path=str(path), **{"height": HEIGHT, "width": WIDTH} | fields)


def box(x=0.1, y=0.1, width=0.5, height=0.5, class_name="cat", **fields) -> Bbox:
    return Bbox(top_left_x=x, top_left_y=y, width=width, height=height, class_name=class_name, **fields)


def problems(dataset: Dataset, images="header") -> list[tuple]:
    table = dataset.check(images)
    assert table.schema == PROBLEMS
    return table.select("problem", "sample_index").rows()


def changed(dataset: Dataset, column: str, **fields: pl.Expr) -> Dataset:
    """The dataset with fields of its annotations overwritten, past all checks."""
    change = pl.col(column).list.eval(pl.element().struct.with_fields(**fields))
    return dataset.replace(samples=dataset.samples.with_columns(change))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return [write_picture(tmp_path / f"{number}.png", number) for number in range(3)]


def test_nothing_is_wrong_with_a_sound_dataset(pictures):
    samples = [
        sample(pictures[0], bboxes=[box()], classifications=[Classification(class_name="cat")]),
        sample(
            pictures[1],
            bboxes=[],
            polygons=[Polygon(points=[Point(0, 0), Point(1, 0), Point(1, 1)], class_idx=0)],
        ),
    ]
    dataset = Dataset.from_samples(samples, INFO)
    assert problems(dataset, "decode") == []
    assert problems(Dataset.from_samples([], INFO), "decode") == []


@pytest.mark.parametrize(
    ("problem", "annotation"),
    [
        ("box outside the image", box(x=0.8)),
        ("box outside the image", box(y=-0.2)),
        ("box without area", box(width=0)),
    ],
)
def test_boxes(pictures, problem, annotation):
    dataset = Dataset.from_samples([sample(pictures[0], bboxes=[box(), annotation])], INFO)
    assert problems(dataset) == [(problem, 0)]
    assert dataset.check()["annotation"].to_list() == [1]


def test_a_box_that_touches_the_edge_is_inside(pictures):
    dataset = Dataset.from_samples([sample(pictures[0], bboxes=[box(x=0.5, y=0.1, width=0.5 + 1e-9)])], INFO)
    assert problems(dataset) == []


def test_the_same_box_twice(pictures):
    predicted = box(ground_truth=False)
    dataset = Dataset.from_samples([sample(pictures[0], bboxes=[box(), box(), predicted])], INFO)
    assert problems(dataset) == [("duplicate box", 0)] * 2


def test_polygons(pictures):
    thin = Polygon(points=[Point(0, 0), Point(1, 1)], class_name="cat")
    outside = Polygon(points=[Point(0, 0), Point(1.2, 1), Point(0, 1)], class_name="cat")
    dataset = Dataset.from_samples([sample(pictures[0], polygons=[thin, outside])], INFO)
    assert problems(dataset) == [("polygon outside the image", 0), ("polygon without area", 0)]


def test_masks(pictures):
    import numpy as np

    of_other_size = Bitmask.from_mask(np.ones((4, 4)), class_name="cat")
    empty = Bitmask.from_mask(np.zeros((HEIGHT, WIDTH)), class_name="cat")
    dataset = Dataset.from_samples([sample(pictures[0], bitmasks=[of_other_size, empty])], INFO)
    assert problems(dataset) == [("mask of another size", 0), ("mask without pixels", 0)]


def test_classes_and_tasks(pictures):
    dataset = Dataset.from_samples([sample(path, bboxes=[box()]) for path in pictures], INFO)
    assert problems(changed(dataset, "bboxes", class_name=pl.lit("dog"))) == [
        ("unknown class", n) for n in range(3)
    ]
    assert problems(changed(dataset, "bboxes", class_idx=pl.lit(2, pl.Int64)))[0] == (
        "class index mismatch",
        0,
    )
    assert problems(changed(dataset, "bboxes", task_name=pl.lit("boxes")))[0] == ("unknown task", 0)
    nameless = changed(dataset, "bboxes", class_name=pl.lit(None, pl.String), class_idx=pl.lit(9, pl.Int64))
    assert problems(nameless)[0] == ("unknown class", 0)
    assert problems(changed(dataset, "bboxes", confidence=pl.lit(1.5)))[0] == ("confidence out of range", 0)


def test_attributes_of_a_class(pictures):
    colour = TaskInfo.from_class_names(Classification, ["red", "blue"], "colour")
    task = TaskInfo(
        primitive=Bbox, classes=[ClassInfo(name="car", attributes=[colour]), ClassInfo(name="bus")]
    )
    info = DatasetInfo(dataset_name="cars", tasks=[task])
    red, pink = (Classification(class_name=name, task_name="colour") for name in ("red", "pink"))
    boxes = [
        box(class_name="car", classifications=[red]),
        box(x=0, class_name="car", classifications=[pink]),
        box(x=0.2, class_name="bus", classifications=[pink]),
    ]
    dataset = Dataset.from_samples([sample(pictures[0], bboxes=boxes)], info)
    table = dataset.check()
    assert table["problem"].to_list() == ["unknown attribute"]
    assert table["detail"].to_list() == ["attribute 'colour' of class 'car' is 'pink'"]


def test_frames_in_many_pieces_have_the_same_problems(pictures):
    colour = TaskInfo.from_class_names(Classification, ["red"], "colour")
    cats = TaskInfo(primitive=Bbox, name="cats", classes=[ClassInfo(name="cat", attributes=[colour])])
    dogs = TaskInfo.from_class_names(Bbox, ["dog"], "dogs")
    pink = Classification(class_name="pink", task_name="colour")
    samples = [
        sample(
            path,
            split=split,
            collection_id="a",
            bboxes=[
                box(class_name="dog", task_name="dogs", classifications=[pink]),
                box(x=0.9, task_name="cats", classifications=[pink]),
                box(width=0, task_name="cats"),
            ],
        )
        for path, split in zip(pictures, ("train", "test", "test"), strict=True)
    ]
    dataset = Dataset.from_samples(samples, DatasetInfo(dataset_name="x", tasks=[cats, dogs]))
    frame = dataset.samples
    pieces = dataset.replace(samples=pl.concat([frame[:1], frame[1:2], frame[2:]], rechunk=False))
    assert pieces.samples["bboxes"].n_chunks() == 3
    table = pieces.check()
    assert table.equals(dataset.check())
    # The attributes of dogs are not listed: only those of cats can be unknown.
    assert table.select("problem", "annotation").rows() == [
        ("box outside the image", 1),
        ("box without area", 2),
        ("leak between splits", None),
        ("unknown attribute", 1),
    ] * len(samples)


def test_duplicate_ids_and_images(pictures):
    dataset = Dataset.from_samples([sample(pictures[0]), sample(pictures[0]), sample(pictures[1])], INFO)
    assert problems(dataset) == [("duplicate image", 0), ("duplicate image", 1)]
    same_index = dataset.replace(
        samples=dataset.samples.with_columns(pl.lit(7, pl.UInt64).alias("sample_index"))
    )
    assert problems(same_index).count(("duplicate sample_index", 7)) == 3


def test_frames_of_one_video_are_no_duplicates(pictures):
    frames = [
        sample(pictures[0], storage_format="video", collection_id="v", collection_index=number)
        for number in (0, 1)
    ]
    assert problems(Dataset.from_samples(frames, INFO)) == []


def test_frames_of_one_recording_in_two_splits(pictures):
    splits = ["train", "test", "train"]
    videos = ["a", "a", "b"]
    samples = [
        sample(path, split=split, collection_id=video)
        for path, split, video in zip(pictures, splits, videos, strict=True)
    ]
    table = Dataset.from_samples(samples, INFO).check()
    assert table.select("problem", "sample_index").rows() == [
        ("leak between splits", 0),
        ("leak between splits", 1),
    ]
    assert "collection 'a' is in the splits test, train" in table["detail"][0]


def test_the_same_image_in_two_splits(pictures, tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(pictures[0].read_bytes())
    samples = [
        sample(pictures[0], split="train"),
        sample(copy, split="test"),
        sample(pictures[1], split="test"),
    ]
    dataset = Dataset.from_samples(samples, INFO)
    assert problems(dataset) == [("leak between splits", 0), ("leak between splits", 1)]
    assert problems(dataset, "none") == []


def test_image_files(pictures, tmp_path):
    wrong_size = sample(pictures[0], height=HEIGHT + 1)
    text = tmp_path / "text.png"
    text.write_text("no image")
    cut = write_picture(tmp_path / "cut.jpg", size=(HEIGHT, WIDTH))
    cut.write_bytes(cut.read_bytes()[:-100])
    samples = [wrong_size, sample(tmp_path / "gone.png"), sample(text), sample(cut)]
    dataset = Dataset.from_samples(samples, INFO)
    assert problems(dataset, "none") == []
    assert problems(dataset, "exist") == [("missing image", 1)]
    header = [("image of another size", 0), ("missing image", 1), ("unreadable image", 2)]
    assert problems(dataset) == header
    assert problems(dataset, "decode") == [*header, ("unreadable image", 3)]


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_an_image_that_exif_turns_may_be_annotated_either_way(tmp_path, suffix):
    path = tmp_path / f"turned{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(path, exif=exif)
    for height, width in ((HEIGHT, WIDTH), (WIDTH, HEIGHT)):
        assert (
            problems(Dataset.from_samples([sample(path, height=height, width=width)], INFO), "decode") == []
        )
