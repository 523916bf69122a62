import logging
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from polars.testing import assert_frame_equal

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    Dataset,
    DatasetInfo,
    Sample,
    Segmentation,
    TaskInfo,
)
from sightline.data.annotation_tables import annotation_table
from sightline.data.formats.voc_layout import is_voc
from sightline.data.formats.voc_masks import palette
from sightline.data.info import ClassInfo
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, WIDTH, write_picture
from tests.needs import shared_data

BOX = ["top_left_x", "top_left_y", "width", "height"]
SAID = {"pose": "Left", "truncated": 1, "difficult": 0}

on_disk = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def sample(path: Path, split: str = "train", **fields) -> Sample:
    write_picture(path)
    return Sample(file_path=str(path), height=HEIGHT, width=WIDTH, split=split, **fields)


def box(class_name: str = "cat", numbers=(0.125, 0.25, 0.5, 0.5), **more) -> Bbox:
    return Bbox(**dict(zip(BOX, numbers, strict=True)), class_name=class_name, **{"meta": SAID} | more)


def dataset_of(samples: list[Sample], *tasks: TaskInfo) -> Dataset:
    tasks = tasks or (TaskInfo.from_class_names(Bbox, ["dog", "cat"]),)
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="made-up", tasks=list(tasks)))


def bndbox(*corners: object) -> str:
    names = ("xmin", "ymin", "xmax", "ymax")
    return f"<bndbox>{''.join(f'<{n}>{c}</{n}>' for n, c in zip(names, corners, strict=True))}</bndbox>"


def annotation(*objects: str, size: str | None = None) -> str:
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>" if size is None else size
    return f"<annotation>{size}{''.join(f'<object>{o}</object>' for o in objects)}</annotation>"


CAT = "<name>cat</name>" + bndbox(2, 3, 10, 9)


def voc_folder(root: Path, files: dict[str, str | bytes | None], lists: dict[str, str] | None = None) -> Path:
    """A VOC folder with an image per entry; None for one without an annotation file."""
    (root / "Annotations").mkdir(parents=True)
    for name, text in files.items():
        write_picture(root / "JPEGImages" / f"{name}.png")
        if text is not None:
            file = root / "Annotations" / f"{name}.xml"
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
    (root / "ImageSets/Main").mkdir(parents=True)
    for name, text in (lists or {}).items():
        (root / "ImageSets/Main" / f"{name}.txt").write_text(text)
    return root


def rows(dataset: Dataset, column: str = "bboxes") -> pl.DataFrame:
    name = pl.col("file_path").str.split("/").list.last().alias("name")
    frame = dataset.samples.with_columns(name).sort("name")
    table = annotation_table(frame, column)
    return table.with_columns(frame["name"][table["position"]], frame["split"][table["position"]])


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# Round trips


@pytest.mark.parametrize("one_based", [False, True])
def test_bccd_survives_a_round_trip(tmp_path, one_based, caplog):
    dataset = Dataset.from_voc(shared_data("bccd"), one_based=one_based)
    assert dict(dataset.samples["split"].value_counts().rows()) == {
        "train": 205,
        "validation": 87,
        "test": 72,
    }
    assert dataset.info.tasks[0].class_names == ["Platelets", "RBC", "WBC"]
    if one_based:
        assert len(rows(dataset)) == 4888
        assert not warnings(caplog)
    else:
        assert len(rows(dataset)) == 4886
        assert "2 boxes of no size left out" in warnings(caplog)[0]
    dataset.to_voc(tmp_path / "voc", one_based=one_based, how="symlink")
    again = Dataset.from_voc(tmp_path / "voc", one_based=one_based, name="bccd")
    assert_frame_equal(rows(again), rows(dataset), check_exact=False, rel_tol=0, abs_tol=1e-9)
    assert again.samples["meta"].equals(dataset.samples["meta"])
    text = (tmp_path / "voc/Annotations/BloodImage_00000.xml").read_text()
    assert "<xmin>260</xmin>" in text
    assert "." not in text.replace(".jpg", "")  # whole pixels stay whole


corner = st.floats(0, 1)


@on_disk
@given(boxes=st.lists(st.tuples(corner, corner, st.floats(1e-6, 1), st.floats(1e-6, 1)), max_size=4))
@example(boxes=[(0.0, 0.0, 1.0, 1.0), (-0.2, -1e-9, 0.4, 1.3)])
def test_any_box_survives_to_a_millionth_of_the_image(tmp_path_factory, boxes):
    folder = tmp_path_factory.mktemp("boxes")
    found = [box(numbers=numbers) for numbers in boxes]
    for one_based in (False, True):
        target = folder / str(one_based)
        dataset_of([sample(folder / "1.png", bboxes=found)]).to_voc(target, one_based=one_based)
        again = Dataset.from_voc(target, one_based=one_based)
        numbers = rows(again).select(BOX).to_numpy()
        assert np.abs(numbers - np.array(boxes).reshape(-1, 4)).max(initial=0) <= 1e-6


letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
names = st.lists(
    st.text(letters, min_size=1).filter(lambda t: t == t.strip()), min_size=1, max_size=3, unique=True
)


@on_disk
@given(classes=names, pose=st.text(letters).map(str.strip).filter(lambda text: not text.isdecimal()))
@example(classes=["<a&b>", "]]>", "a:b", "z", "a", "# no comment", "background "[:-1]], pose="<&>")
def test_names_and_what_objects_say_survive(tmp_path_factory, classes, pose):
    assume(not any(name.startswith("#") and len(classes) == 1 for name in classes))
    folder = tmp_path_factory.mktemp("names")
    found = [box(name, meta=SAID | {"pose": pose, "box": {"a": [1, "b"]}}) for name in classes]
    dataset = dataset_of(
        [sample(folder / "1.png", bboxes=found, meta={"segmented": 1, "source": {"database": "x"}})],
        TaskInfo.from_class_names(Bbox, classes),
    )
    dataset.to_voc(folder / "voc")
    again = Dataset.from_voc(folder / "voc")
    assert again[0].bboxes is not None
    assert [(b.class_name, b.meta) for b in again[0].bboxes] == [(b.class_name, b.meta) for b in found]
    assert again[0].meta == dataset[0].meta


def test_confidences_are_left_out_and_counted(tmp_path, caplog):
    guess = box(confidence=0.0, ground_truth=False)
    dataset_of([sample(tmp_path / "1.png", bboxes=[guess, box()])]).to_voc(tmp_path / "voc")
    assert "1 confidences left out" in warnings(caplog)[0]


def test_classes_keep_their_order(tmp_path):
    dataset_of([sample(tmp_path / "1.png", bboxes=[box()])]).to_voc(tmp_path / "voc")
    again = Dataset.from_voc(tmp_path / "voc")
    assert again.info.tasks[0].class_names == ["dog", "cat"]
    assert (again[0].bboxes or [])[0].class_idx == 1


def test_parts_are_boxes_nested_in_their_object(tmp_path):
    head = f"<part><name>head</name>{bndbox(2, 3, 4, 6)}</part>"
    folder = voc_folder(tmp_path / "a", {"1": annotation(CAT + head, CAT)})
    dataset = Dataset.from_voc(folder)
    first, second = dataset[0].bboxes or []
    assert [(p.class_name, p.task_name, p.top_left_x, p.height) for p in first.bboxes or ()] == [
        ("head", "part", 2 / WIDTH, 3 / HEIGHT)
    ]
    assert second.bboxes is None
    part_task = TaskInfo.from_class_names(Bbox, ["head"], "part")
    assert dataset.info.tasks[0].classes == [ClassInfo(name="cat", attributes=[part_task])]
    dataset.to_voc(tmp_path / "b")
    assert (Dataset.from_voc(tmp_path / "b")[0].bboxes or [])[0].bboxes == first.bboxes


def test_samples_that_were_not_annotated_stay_so(tmp_path):
    dataset = dataset_of([sample(tmp_path / "1.png", bboxes=[]), sample(tmp_path / "2.png", bboxes=None)])
    dataset.to_voc(tmp_path / "voc")
    assert [file.name for file in (tmp_path / "voc/Annotations").iterdir()] == ["1.xml"]
    assert [s.bboxes for s in Dataset.from_voc(tmp_path / "voc")] == [[], None]


# Masks


def masks_dataset(folder: Path, kind: type[Bitmask]) -> Dataset:
    generator = np.random.default_rng(0)
    samples = []
    for number in range(3):
        cells = generator.integers(0, 3, (HEIGHT, WIDTH))
        found = [kind.from_mask(cells == n, class_name=name) for n, name in ((1, "dog"), (2, "cat"))]
        samples.append(
            sample(folder / f"{number}.png", bboxes=[box()], bitmasks=None if number == 2 else found)
        )
    return dataset_of(
        samples,
        TaskInfo.from_class_names(Bbox, ["cat"]),
        TaskInfo.from_class_names(kind, ["dog", "cat"]),
    )


@pytest.mark.parametrize("kind", [Segmentation, Bitmask])
def test_masks_survive_pixel_by_pixel(tmp_path, kind):
    dataset = masks_dataset(tmp_path, kind)
    task = dataset.info.task(kind).name
    dataset.to_voc(tmp_path / "voc", masks=task)
    again = Dataset.from_voc(tmp_path / "voc")
    assert again.info.task(kind).class_names == ["dog", "cat"]
    columns = ["name", "class_name", "rle_string", "top", "left", "height", "width", "area"]
    written, read = (rows(d, "bitmasks").filter(pl.col("task_name") == task) for d in (dataset, again))
    assert_frame_equal(read.select(columns), written.select(columns))
    assert len(written) == 4
    assert again.samples["bitmasks"].is_null().to_list() == [False, False, True]
    assert (tmp_path / "voc/SegmentationObject").is_dir() == (kind is Bitmask)


def test_only_masks_can_be_written(tmp_path):
    full = Segmentation.from_mask(np.ones((HEIGHT, WIDTH)), class_name="sky")
    task = TaskInfo.from_class_names(Segmentation, ["sky"])
    dataset = dataset_of([sample(tmp_path / "1.png", bitmasks=[full])], task)
    dataset.to_voc(tmp_path / "voc", masks="semantic_segmentation")
    again = Dataset.from_voc(tmp_path / "voc")
    assert again.info.tasks == [task]
    assert [mask.class_name for mask in again[0].bitmasks or ()] == ["sky"]
    assert again[0].bboxes is None


def test_masks_of_voc_are_numbered_by_its_classes_and_void_counts_for_nothing(tmp_path):
    folder = voc_folder(tmp_path, {"1": annotation(CAT)})
    numbers = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    numbers[2:5, 3:7], numbers[7:9], numbers[0] = 8, 20, 255  # cat, tvmonitor, void
    for place, pixels in (("SegmentationClass", numbers), ("SegmentationObject", np.minimum(numbers, 8))):
        (folder / place).mkdir()
        image = Image.fromarray(pixels)
        image.putpalette(palette().tobytes())
        image.save(folder / place / "1.png")
    masks = Dataset.from_voc(folder)[0].bitmasks or []
    assert [(type(m).__name__, m.class_name, m.top, m.height) for m in masks[:2]] == [
        ("Segmentation", "cat", 2, 3), ("Segmentation", "tvmonitor", 7, 2)
    ]  # fmt: skip
    assert [type(m).__name__ for m in masks[2:]] == ["Bitmask"]


def test_masks_of_colours_are_read_by_the_label_map(tmp_path):
    folder = voc_folder(tmp_path, {"1": annotation(CAT)})
    (folder / "labelmap.txt").write_text(
        "# label:color_rgb\ncat:10,20,30::\nbackground:0,0,0::\nlake:1,2,3::\n"
    )
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:2], pixels[5:, 4:] = (10, 20, 30), (1, 2, 3)
    (folder / "SegmentationClass").mkdir()
    Image.fromarray(pixels).save(folder / "SegmentationClass/1.png")
    masks = Dataset.from_voc(folder)[0].bitmasks or []
    assert [(m.class_name, m.top, m.left) for m in masks] == [("cat", 0, 0), ("lake", 5, 4)]
    pixels[0, 0] = 99
    Image.fromarray(pixels).save(folder / "SegmentationClass/1.png")
    with pytest.raises(
        SightlineError, match=r"SegmentationClass/1\.png: has colours that stand for no class"
    ):
        Dataset.from_voc(folder)


def test_wrong_masks_are_refused_by_name(tmp_path):
    folder = voc_folder(tmp_path, {"1": annotation(CAT)})
    (folder / "SegmentationClass").mkdir()
    file = folder / "SegmentationClass/1.png"
    Image.new("L", (WIDTH, HEIGHT), 77).save(file)
    with pytest.raises(SightlineError, match=r"1\.png: number 77 has no class"):
        Dataset.from_voc(folder)
    Image.new("L", (3, 4)).save(file)
    with pytest.raises(SightlineError, match=rf"1\.png: is 3 x 4, but its image {WIDTH} x {HEIGHT}"):
        Dataset.from_voc(folder)
    file.write_bytes(b"nothing")
    with pytest.raises(SightlineError, match=r"1\.png: cannot be read as an image"):
        Dataset.from_voc(folder)
    (folder / "labelmap.txt").write_text("cat\n")
    with pytest.raises(SightlineError, match=r"labelmap\.txt: is not UTF-8 lines of"):
        Dataset.from_voc(folder)


def test_overlapping_masks_are_counted(tmp_path, caplog):
    full = Bitmask.from_mask(np.ones((HEIGHT, WIDTH)), class_name="cat")
    task = TaskInfo.from_class_names(Bitmask, ["cat"])
    dataset = dataset_of([sample(tmp_path / "1.png", bitmasks=[full, full])], task)
    dataset.to_voc(tmp_path / "voc", masks=task.name)
    assert "1 masks laid over others" in warnings(caplog)[0]


def test_the_palette_is_that_of_voc():
    assert palette()[[0, 1, 2, 8, 15, 20, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [64, 0, 0], [192, 128, 128], [0, 64, 128], [224, 224, 192]
    ]  # fmt: skip


# Layouts and lists


def test_lists_are_the_splits(tmp_path):
    lists = {"train": "a\n", "val": " b \r\n", "trainval": "a\nb\nc\n", "test": "a\nd\nz\n"}
    folder = voc_folder(tmp_path, dict.fromkeys("abcde", annotation(CAT)), lists)
    assert Dataset.from_voc(folder).samples["split"].to_list() == [
        "train", "validation", "train", "test", "UNDEFINED"
    ]  # fmt: skip


def test_lists_that_contradict_each_other_or_name_what_is_not_there_are_counted(tmp_path, caplog):
    folder = voc_folder(tmp_path, {"a": annotation(CAT)}, {"train": "a\n", "test": "a\nz\n"})
    assert Dataset.from_voc(folder).samples["split"].to_list() == ["train"]
    assert "1 images listed in several splits put into the first; the first is a" in warnings(caplog)[0]
    assert "1 listed images that are not there passed over; the first is z" in warnings(caplog)[1]


def test_files_beside_their_images_in_folders_by_split(tmp_path):
    for place in ("train/a", "valid/b", "valid/a"):
        write_picture(tmp_path / f"{place}.jpg")
        (tmp_path / f"{place}.xml").write_text(annotation(CAT))
    dataset = Dataset.from_voc(tmp_path)
    assert dataset.samples["split"].to_list() == ["train", "validation", "validation"]
    assert len(rows(dataset)) == 3


def test_an_image_is_found_by_the_name_that_the_file_says(tmp_path):
    folder = voc_folder(tmp_path, {"1": annotation(CAT)})
    named = annotation(CAT).replace("<size>", "<filename>photo 7.png</filename><size>")
    (folder / "Annotations/other.xml").write_text(named)
    with pytest.raises(SightlineError, match=r"other\.xml: its image is missing; expected 'photo 7\.png'"):
        Dataset.from_voc(folder)
    write_picture(folder / "JPEGImages" / "photo 7.png")
    assert len(rows(Dataset.from_voc(folder))) == 2


def test_two_files_about_one_image_are_refused(tmp_path):
    folder = voc_folder(tmp_path, {"1": annotation(CAT)})
    named = annotation(CAT).replace("<size>", "<filename>1.png</filename><size>")
    (folder / "Annotations/2.xml").write_text(named)
    with pytest.raises(SightlineError, match=r"2\.xml: is about .*1\.png, as is .*1\.xml; remove one"):
        Dataset.from_voc(folder)


def test_two_files_of_one_name_stay_two(tmp_path):
    samples = [
        sample(tmp_path / side / "1.png", bboxes=[box(name)]) for side, name in [("l", "cat"), ("r", "dog")]
    ]
    dataset_of(samples).to_voc(tmp_path / "voc")
    again = Dataset.from_voc(tmp_path / "voc")
    assert [(Path(s.file_path or "").name, (s.bboxes or [])[0].class_name) for s in again] == [
        ("l_1.png", "cat"), ("r_1.png", "dog")
    ]  # fmt: skip


def test_the_layout_is_that_of_voc(tmp_path):
    splits = ["train", "validation", "test", "UNDEFINED"]
    dataset = dataset_of([sample(tmp_path / f"{n}.png", s, bboxes=[box()]) for n, s in enumerate(splits)])
    dataset.to_voc(tmp_path / "voc")
    lists = {file.name: file.read_text() for file in (tmp_path / "voc/ImageSets/Main").iterdir()}
    assert lists == {"train.txt": "0\n", "val.txt": "1\n", "test.txt": "2\n", "trainval.txt": "0\n1\n"}
    root = ElementTree.parse(tmp_path / "voc/Annotations/0.xml").getroot()
    assert root.findtext("filename") == "0.png"
    assert (root.findtext("size/width"), root.findtext("size/height")) == (str(WIDTH), str(HEIGHT))
    assert [element.tag for element in root.iterfind("object/*")] == [
        "name", "pose", "truncated", "difficult", "bndbox"
    ]  # fmt: skip
    assert [element.text for element in root.iterfind("object/bndbox/*")] == ["2", "3", "10", "9"]
    assert is_voc(tmp_path / "voc")
    assert not is_voc(tmp_path)
    assert not is_voc(tmp_path / "voc/Annotations/0.xml")


def test_only_a_voc_folder_is_overwritten(tmp_path):
    dataset = dataset_of([sample(tmp_path / "1.png", bboxes=[box()])])
    dataset.to_voc(tmp_path / "voc")
    dataset.to_voc(tmp_path / "voc", overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    with pytest.raises(SightlineError, match="has no Annotations, so it is not overwritten"):
        dataset.to_voc(tmp_path / "mine", overwrite=True)


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path):
    for wrong in (" cat", "a\x01b", "a\nb"):
        task = TaskInfo.from_class_names(Bbox, [wrong])
        with pytest.raises(SightlineError, match="rename it"):
            dataset_of([sample(tmp_path / "1.png", bboxes=[box(wrong)])], task).to_voc(tmp_path / "voc")
    unnamed = dataset_of(
        [sample(tmp_path / "1.png", bboxes=[box(class_name=None)])], TaskInfo(primitive=Bbox)
    )
    with pytest.raises(SightlineError, match=r"1\.png: a box of task 'object_detection' has no class"):
        unnamed.to_voc(tmp_path / "voc")
    classes = dataset_of([sample(tmp_path / "1.png")], TaskInfo.from_class_names(Classification, ["a"]))
    with pytest.raises(SightlineError, match="has no task of Bbox"):
        classes.to_voc(tmp_path / "voc")
    with pytest.raises(SightlineError, match="is of Classification; VOC holds Bbox"):
        classes.to_voc(tmp_path / "voc", task="image_classification")
    assert not (tmp_path / "voc").exists()


# Malformed input


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (annotation(CAT)[:-20], "not valid XML"),
        ("", "not valid XML"),
        (annotation(bndbox(1, 2, 3, 4)), "object 1 has no name"),
        (
            annotation(CAT, "<name>dog</name>" + bndbox(1, "x", 3, 4)),
            r"object 2 \(dog\): bndbox is xmin=1, ymin=x",
        ),
        (annotation("<name>dog</name><bndbox><xmin>1</xmin></bndbox>"), "ymin=missing"),
        (b"<annotation>\xff</annotation>", "not UTF-8"),
        (b'<?xml version="1.0" encoding="nope"?><annotation>\xff</annotation>', "not the nope text"),
        (b'<?xml version="1.0" encoding="ASCII"?><annotation>\xff</annotation>', "not the ASCII text"),
        (b'<?xml version="1.0" encoding="latin-1"?><!DOCTYPE a [<!ENTITY b "\xe9">]><a/>', "a document type"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + annotation(CAT), "declares a document type"),
        ("<a>" * 100_000 + "</a>" * 100_000, "nested too deeply|not valid XML"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path, text, problem):
    folder = voc_folder(tmp_path, {"1": annotation(CAT), "2": text})
    with pytest.raises(SightlineError, match=problem) as caught:
        Dataset.from_voc(folder)
    assert "Annotations/2.xml" in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("ISO-8859-1", "utf-8"), ("utf-16", "utf-8")],
)
def test_a_file_is_read_in_utf_8_or_the_encoding_that_it_declares(tmp_path, declared, encoding):
    text = f'<?xml version="1.0" encoding="{declared}"?>' + annotation(CAT.replace("cat", "Kätzchen"))
    dataset = Dataset.from_voc(voc_folder(tmp_path, {"1": text.encode(encoding)}))
    assert [box.class_name for box in dataset[0].bboxes or ()] == ["Kätzchen"]


@pytest.mark.parametrize(
    ("corners", "kind"),
    [
        ((3, 2, 3, 4), "boxes of no size left out"),
        ((10, 9, 2, 3), "boxes with swapped corners put right"),
    ],
)
def test_boxes_that_are_wrong_are_counted(tmp_path, caplog, corners, kind):
    wrong = "<name>dog</name>" + bndbox(*corners)
    dataset = Dataset.from_voc(voc_folder(tmp_path, {"1": annotation(CAT, wrong), "2": annotation(wrong)}))
    assert len(warnings(caplog)) == 1
    assert f"2 {kind}" in warnings(caplog)[0]
    assert "1.xml: a dog" in warnings(caplog)[0]
    found = rows(dataset)
    assert len(found) == (3 if "swapped" in kind else 1)
    assert found.select(BOX).unique().rows() == [(2 / WIDTH, 3 / HEIGHT, 8 / WIDTH, 6 / HEIGHT)]


@pytest.mark.parametrize("size", ["", "<size><width>0</width><height>0</height></size>", "<size/>",
                                  "<size><width>x</width><height>1e999</height></size>"])  # fmt: skip
def test_a_size_that_is_missing_is_that_of_the_image(tmp_path, caplog, size):
    dataset = Dataset.from_voc(voc_folder(tmp_path, {"1": annotation(CAT, size=size)}))
    assert (dataset[0].height, dataset[0].width) == (HEIGHT, WIDTH)
    assert "1 annotation files without a size" in warnings(caplog)[0]


def test_a_size_that_is_wrong_is_corrected_and_counted(tmp_path, caplog):
    size = "<size><width>500</width><height>400</height></size>"
    dataset = Dataset.from_voc(voc_folder(tmp_path, {"1": annotation(CAT, size=size)}))
    assert (dataset[0].height, dataset[0].width) == (HEIGHT, WIDTH)
    assert "1 sizes corrected to those of the images" in warnings(caplog)[0]
    assert "1.xml (500 x 400)" in warnings(caplog)[0]


def test_boxes_made_on_stored_pixels_keep_their_size(tmp_path, caplog):
    turned = Image.Exif()
    turned[0x0112] = 6
    folder = voc_folder(tmp_path, {"1": annotation(CAT)})
    (folder / "JPEGImages/1.png").unlink()
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "JPEGImages/1.jpg", exif=turned)
    found = Dataset.from_voc(folder)[0]
    assert found.read_image().shape == (found.height, found.width, 3) == (HEIGHT, WIDTH, 3)
    assert not warnings(caplog)


def test_objects_without_a_box_are_counted(tmp_path, caplog):
    Dataset.from_voc(voc_folder(tmp_path, {"1": annotation("<name>cat</name>", CAT)}))
    assert "1 objects without a box left out; the first is" in warnings(caplog)[0]
    assert "1.xml: object 1 (cat)" in warnings(caplog)[0]


def test_folders_that_are_no_voc_datasets_are_refused(tmp_path):
    with pytest.raises(SightlineError, match="holds no Annotations"):
        Dataset.from_voc(tmp_path)
    with pytest.raises(SightlineError, match="nothing: no such folder"):
        Dataset.from_voc(tmp_path / "nothing")
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(SightlineError, match="has Annotations but no JPEGImages"):
        Dataset.from_voc(tmp_path)
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(SightlineError, match="holds neither images nor annotation files"):
        Dataset.from_voc(tmp_path)


values = st.sampled_from(["1", "9", "3.5", "-4", "nan", "1e9", "", "x", "&lt;", "<a/>", "12"])
objects = st.tuples(st.sampled_from(["", "cat", " ", "é"]), values, values, values, values).map(
    lambda t: f"<name>{t[0]}</name>{bndbox(*t[1:])}"
)


@on_disk
@given(
    found=st.lists(objects, max_size=3),
    cut=st.none() | st.integers(0, 400),
    flip=st.none() | st.binary(max_size=2),
)
def test_any_file_is_read_counted_or_refused(tmp_path_factory, caplog, found, cut, flip):
    caplog.clear()
    content = annotation(*found).encode()[:cut]
    if flip is not None:
        content = content[:60] + flip + content[62:]
    folder = voc_folder(tmp_path_factory.mktemp("any"), {"1": content})
    try:
        dataset = Dataset.from_voc(folder)
    except SightlineError as error:
        assert "1.xml" in str(error)  # noqa: PT017
        return
    left_out = [m for m in warnings(caplog) if "left out" in m]
    counted = sum(int(message.split(": ")[1].split()[0]) for message in left_out)
    assert len(dataset[0].bboxes or ()) + counted == content.count(b"<object>")
