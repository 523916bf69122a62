import logging
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.formats.tables import is_table
from sightline.errors import SightlineError
from tests.data.factory import CLASSES, INFO, bboxes, write_picture

HEIGHT, WIDTH = 50, 100


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(3):
        write_picture(tmp_path / "images" / f"im{number}.png", number, (HEIGHT, WIDTH))
    return tmp_path / "images"


def _table(images: Path, text: str) -> Path:
    path = images.parent / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _boxes(dataset: Dataset) -> list[tuple[str, list[tuple[str | None, tuple[float, ...]]]]]:
    return [
        (
            Path(s.file_path or "").stem,
            [(b.class_name, tuple(round(v) for v in b.to_pixels(s.width, s.height))) for b in s.bboxes or ()],
        )
        for s in dataset
    ]


def _classes(dataset: Dataset) -> dict[str, list[str | None]]:
    return {Path(s.file_path or "").stem: [c.class_name for c in s.classifications or ()] for s in dataset}


ONE_BOX = [("im0", [("cat", (10, 20, 40, 30))])]


@pytest.mark.parametrize(
    "text",
    [
        # Open Images, TensorFlow and Roboflow, VinBigData, GTSRB, annotation tools, YOLO in a table
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\nim0,x,cat,1,0.1,0.4,0.4,0.6\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\nim0.png,100,50,cat,10,20,40,30\n",
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\nim0,cat,3,R9,10.0,20.0,40.0,30.0\n",
        "Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;Label;Path\n100;50;10;20;40;30;cat;images/im0.png\n",
        "image,x,y,width,height,label\nimages/im0.png,10,20,30,10,cat\n",
        "image\tclass\tx_center\ty_center\twidth\theight\nim0\tcat\t0.25\t0.5\t0.3\t0.2\n",
        "img,x0,y0,x1,y1,category\nim0.png,10,20,40,30,cat\n",
        "path,bbox_x,bbox_y,bbox_width,bbox_height,width,height,label\nim0.png,10,20,30,10,100,50,cat\n",
        'image_id,width,height,bbox,label\nim0,100,50,"[10.0, 20.0, 30.0, 10.0]",cat\n',
        "file;cx;cy;w;h;label\nim0.png;25,0;25,0;30,0;10,0;cat\n",
        "\ufefffilename,class,xmin,ymin,xmax,ymax\r\nim0.png,cat,10,20,40,30\r\n",
    ],
)
def test_tables_as_people_write_them(images: Path, text: str) -> None:
    assert _boxes(Dataset.from_table(_table(images, text))) == ONE_BOX


def test_a_row_per_image_and_class(images: Path) -> None:
    path = _table(images, "id,label,set\nim0,frog,val\nim1,cat,train\nim0,big,val\nim2,,\n")
    dataset = Dataset.from_table(path, split="test")
    assert _classes(dataset) == {"im0": ["frog", "big"], "im1": ["cat"], "im2": []}
    assert [s.split for s in dataset] == ["validation", "train", "test"]
    assert dataset.info.task().class_names == ["big", "cat", "frog"]
    assert (dataset[0].height, dataset[0].width) == (HEIGHT, WIDTH)


def test_columns_are_named_where_their_names_say_nothing(images: Path) -> None:
    path = _table(images, "id_code,breed,id\nim1,pug,7\n")
    dataset = Dataset.from_table(path, columns={"file_path": "id_code", "class_name": "breed"})
    assert _classes(dataset) == {"im1": ["pug"]}
    with pytest.raises(SightlineError, match=r"has no column 'race'; it has id_code, breed"):
        Dataset.from_table(path, columns={"class_name": "race"})
    with pytest.raises(SightlineError, match="'breed' is no field; give one of file_path, split"):
        Dataset.from_table(path, columns={"breed": "breed"})


def test_class_numbers(images: Path) -> None:
    path = _table(images, "file,label\nim0,10\nim1,2\n")
    assert Dataset.from_table(path).info.task().class_names == ["2", "10"]
    named = Dataset.from_table(_table(images, "file,label\nim0,1\nim1,0\n"), classes=["cat", "dog"])
    assert _classes(named) == {"im0": ["dog"], "im1": ["cat"]}
    both = Dataset.from_table(_table(images, "file,label,label_id\nim0,zebra,0\nim1,ant,7\n"))
    assert both.info.task().class_names == ["zebra", "ant"]
    assert _classes(Dataset.from_table(_table(images, "file,label\nim0,007\n"))) == {"im0": ["007"]}
    with pytest.raises(SightlineError, match=r"row 2: class '2' is not one of the 2 classes given"):
        Dataset.from_table(_table(images, "file,label\nim0,1\nim1,2\n"), classes=["cat", "dog"])
    with pytest.raises(SightlineError, match=r"class 'ant' is 0 in row 1 and 'bee' is 0 in row 2"):
        Dataset.from_table(_table(images, "file,label,label_id\nim0,ant,0\nim1,bee,0\n"))


def test_what_is_left_out_is_counted(images: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _table(
        images,
        "file,label,xmin,ymin,xmax,ymax,doctor,split\n"
        "im0,cat,10,20,40,30,R1,train\nim0,cat,10,20,40,30,R1,train\n"  # twice
        "im0,cat,10,20,10,30,R1,train\nim0,cat,10,20,40,20,R1,train\n"  # no size
        "im0,cat,41,30,11,20,R1,train\n"  # swapped
        "im0,cat,50,20,101,30,R1,train\n"  # over the edge
        "im1,cat,,,,,R1,somewhere\n",
    )
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = Dataset.from_table(path)
    boxes = [("cat", (10, 20, 40, 30)), ("cat", (11, 20, 41, 30)), ("cat", (50, 20, 101, 30))]
    assert _boxes(dataset) == [("im0", boxes), ("im1", [])]
    messages = [record.message.removeprefix(f"{path}: ") for record in caplog.records]
    assert messages == [
        "1 columns that say nothing of image, class or box left out; the first is doctor.",
        "1 rows that repeat another left out; the first is row 2.",
        "1 images of a split that is none taken as UNDEFINED; the first is somewhere.",
        "1 rows with a class but no box taken as images without boxes; the first is row 7, 'cat'.",
        "1 boxes with swapped corners put right; the first is row 5.",
        "2 boxes of no size left out; the first is row 3.",
        "1 boxes that reach over the edge of their image kept; the first is row 6.",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("im0.png,1,2,3,4,cat\n", r"first line holds 'im0\.png', so it seems to have no header"),
        ("im0,1,2,3,4,cat\n", "first line holds '1', so it seems to have no header"),
        ("a,b\nim0,cat\n", r"no column is known to hold image files; it has a, b; name the one"),
        ("file,breed\nim0,cat\n", "no column is known to hold classes or boxes; it has file, breed"),
        ("file,xmin,ymin,label\nim0,1,2,cat\n", "has xmin, ymin, but not all four numbers"),
        ("", "is empty"),
        ("file,label\nim9,cat\n", "1 of 1 images are not in .*, the first is 'im9'"),
        ("file,label\n,cat\n", "1 rows name no image, the first is row 1"),
        ("file,label\nim0,cat,1\n", "cannot be read as a table"),
        ("file,label\nim0,cat\nim1", "ends within its last line, 'im1'"),
        ('file,label\nim0,"cat\n', "cannot be read as a table"),
        ("file,label,split\nim0,a,train\nim0,b,test\n", "that its split is train and test"),
        ("file,xmin,ymin,xmax,ymax\nim0,1,2,x4,5\n", r"row 1: xmax is 'x4', expected a number"),
        ("file,bbox\nim0,1 2 3\n", r"row 1: bbox is '1 2 3', expected four numbers"),
        ("file,label,width,height\nim0,cat,0,10\n", "width is 0, expected pixels from 1 up"),
        ("file,label,width,height\nim0,cat,1.5,10\n", r"row 1: width is '1\.5', expected a whole number"),
        (
            "file,xmin,ymin,xmax,ymax,score\nim0,1,2,3,4,87\n",
            r"csv: row 1: score is '87', expected a confi",
        ),
    ],
)
def test_what_cannot_be_mended_is_one_sentence(images: Path, text: str, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence):
        Dataset.from_table(_table(images, text))


def test_damaged_files_are_one_sentence(images: Path) -> None:
    path = _table(images, "")
    path.write_bytes("file,label\nim0,Ä\n".encode("latin-1"))
    with pytest.raises(SightlineError, match=r"table\.csv: is not UTF-8 text"):
        Dataset.from_table(path)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        path.write_bytes("file,label\nim0,cat\n".encode(encoding))
        with pytest.raises(SightlineError, match=r"table\.csv: is UTF-16 text.*save it as UTF-8"):
            Dataset.from_table(path)
    with pytest.raises(SightlineError, match=r"nowhere\.csv: no such file"):
        Dataset.from_table(images / "nowhere.csv")
    with pytest.raises(SightlineError, match="is no table that can be read"):
        Dataset.from_table(images / "im0.png")
    write_picture(images / "sub" / "im0.png")
    with pytest.raises(SightlineError, match=r"'im0' may be .*im0\.png or .*sub/im0\.png"):
        Dataset.from_table(_table(images, "file,label\nim0,cat\n"))
    assert len(Dataset.from_table(path, images=images / "sub")) == 1


def test_the_size_that_a_table_states_is_taken(images: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _table(images, "filename,width,height,class,xmin,ymin,xmax,ymax\nim0.png,200,50,cat,20,20,80,30\n")
    dataset = Dataset.from_table(path)
    assert (dataset[0].width, (dataset[0].bboxes or [])[0].width) == (200, 0.3)
    assert "1 images of another size than the annotations say" in caplog.text


@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    suffix=st.sampled_from([".csv", ".tsv", ".parquet"]),
    units=st.sampled_from(["pixels", "fractions"]),
)
def test_any_boxes_survive_the_round_trip(data: st.DataObject, suffix: str, units: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = data.draw(
            st.lists(st.sampled_from(["a.png", "ä, b.png", 'c "d".png']), unique=True, min_size=1)
        )
        drawn = {name: data.draw(st.lists(bboxes(1), max_size=4)) for name in names}
        kept = {
            name: [
                Bbox(
                    top_left_x=b.top_left_x, top_left_y=b.top_left_y, width=b.width, height=b.height,
                    class_name=data.draw(st.sampled_from(CLASSES)), confidence=b.confidence,
                    object_id=str(number), ground_truth=b.ground_truth,
                )
                for number, b in enumerate(found)
                if min(b.width, b.height) > 1e-6
            ]
            for name, found in drawn.items()
        }  # fmt: skip
        samples = [
            Sample(file_path=str(write_picture(Path(folder) / name, 0, (HEIGHT, WIDTH))),
                   height=HEIGHT, width=WIDTH, split="train", bboxes=found)
            for name, found in kept.items()
        ]  # fmt: skip
        dataset = Dataset.from_samples(samples, INFO)
        path = Path(folder) / f"boxes{suffix}"
        dataset.to_table(path, task="object_detection", units=units)  # pyright: ignore[reportArgumentType]
        again = Dataset.from_table(path, classes=CLASSES, units=units)  # pyright: ignore[reportArgumentType]
        assert again.info.tasks == [INFO.task("object_detection")]
        for before, after in zip(dataset, again, strict=True):
            assert (before.file_path, before.split) == (after.file_path, after.split)
            for box, same in zip(before.bboxes or (), after.bboxes or (), strict=True):
                numbers = [(b.top_left_x, b.top_left_y, b.width, b.height) for b in (box, same)]
                assert np.allclose(*numbers, rtol=0, atol=1e-9)
                rest = [
                    (b.class_name, b.class_idx, b.confidence, b.object_id, b.ground_truth)
                    for b in (box, same)
                ]
                assert rest[0] == rest[1]


@given(cut=st.integers(0, 400), suffix=st.sampled_from([".csv", ".parquet"]))
@settings(max_examples=40, deadline=None)
def test_a_truncated_file_is_refused_or_whole(cut: int, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [str(write_picture(Path(folder) / f"im{number}.png", number)) for number in range(5)]
        frame = pl.DataFrame({"file": rows, "label": ["cat"] * 5}).select(
            pl.all().str.strip_prefix(f"{folder}/")
        )
        path = Path(folder) / f"table{suffix}"
        frame.write_csv(path) if suffix == ".csv" else frame.write_parquet(path)
        content = path.read_bytes()[:-1]  # the last line has no end
        path.write_bytes(content[:cut] if cut < len(content) or suffix == ".parquet" else content)
        sentence = str(path)
        try:
            # A CSV says nowhere how long it is: what is there is read, and nothing is made up.
            found = _classes(Dataset.from_table(path))
        except SightlineError as error:
            sentence = str(error)
        else:
            assert set(found) <= {f"im{number}" for number in range(5)}
            assert list(found.values())[:-1] == [["cat"]] * (len(found) - 1)
        assert str(path) in sentence


def test_writing_keeps_to_its_word(images: Path, tmp_path: Path) -> None:
    dataset = Dataset.from_table(_table(images, "id,label\nim0,frog\nim1,cat\nim0,big\n"))
    path = tmp_path / "out" / "labels.csv"
    dataset.to_table(path)
    assert path.read_text().splitlines()[:2] == [
        "file_path,split,image_width,image_height,class_name,class_idx",
        f"{images}/im0.png,UNDEFINED,100,50,frog,2",
    ]
    again = Dataset.from_table(path)
    assert again.info.tasks == dataset.info.tasks
    assert list(again) == [_renamed(sample, "labels") for sample in dataset]
    with pytest.raises(SightlineError, match="exists already"):
        dataset.to_table(path)
    dataset.to_table(path, overwrite=True)
    with pytest.raises(SightlineError, match=r"labels\.xlsx: is no kind of table"):
        dataset.to_table(tmp_path / "labels.xlsx")
    with pytest.raises(
        SightlineError,
        match=r"several tasks that a table holds: 'image_classification' .*'object_detection'",
    ):
        Dataset.from_samples([], INFO).to_table(tmp_path / "several.csv")
    assert [entry.name for entry in path.parent.iterdir()] == ["labels.csv"]


def _renamed(sample: Sample, name: str) -> Sample:
    sample.dataset_name = name
    return sample


def test_images_that_were_not_annotated_are_counted(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sample = Sample(file_path=str(images / "im0.png"), height=HEIGHT, width=WIDTH)
    info = DatasetInfo(dataset_name="x", tasks=[TaskInfo.from_class_names(Classification, ["a"])])
    with caplog.at_level(logging.WARNING, "sightline.data"):
        Dataset.from_samples([sample], info).to_table(tmp_path / "x.parquet")
    assert "1 images not annotated for 'image_classification'" in caplog.text
    assert Dataset.from_table(tmp_path / "x.parquet", classes=["a"])[0].classifications == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_images_alone(images: Path, tmp_path: Path, suffix: str) -> None:
    table = _table(images, "filename,set,width,height\nim0,val,100,50\nim1,,,\n")
    dataset = Dataset.from_table(table)
    assert dataset.info.tasks == []
    assert [(s.split, s.classifications, s.bboxes) for s in dataset] == [
        ("validation", None, None),
        ("UNDEFINED", None, None),
    ]
    named = Dataset.from_table(table, task_name="breed", classes=["pug"])
    assert named.info.tasks == [TaskInfo.from_class_names(Classification, ["pug"], "breed")]
    assert named[0].classifications is None
    dataset.to_table(tmp_path / f"out{suffix}")
    again = Dataset.from_table(tmp_path / f"out{suffix}", name="table")
    assert list(again) == list(dataset)
    assert again.info.tasks == []


@pytest.mark.parametrize("primitive", [Bbox, Classification])
def test_parquet_keeps_the_task_and_classes_that_do_not_occur(
    images: Path, tmp_path: Path, primitive: type[Bbox | Classification]
) -> None:
    task = TaskInfo.from_class_names(primitive, ["zebra", "ant", "cat"], "animals")
    sample = Sample(file_path=str(images / "im0.png"), height=HEIGHT, width=WIDTH, split="train")
    for found in ([], ["cat"]):
        sample.bboxes = [
            Bbox(top_left_x=0.25, top_left_y=0.5, width=0.5, height=0.5, class_name=name, task_name="animals")
            for name in found
        ] if primitive is Bbox else None  # fmt: skip
        sample.classifications = [
            Classification(class_name=name, task_name="animals") for name in found
        ] if primitive is Classification else None  # fmt: skip
        dataset = Dataset.from_samples([sample], DatasetInfo(dataset_name="out", tasks=[task]))
        dataset.to_table(tmp_path / "out.parquet", overwrite=True)
        again = Dataset.from_table(tmp_path / "out.parquet")
        assert again.info.tasks == [task]
        assert list(again) == list(dataset)
        dataset.to_table(tmp_path / "out.csv", overwrite=True)
        text = Dataset.from_table(tmp_path / "out.csv", task_name="animals")
        assert text.info.task().class_names == found
    renamed = Dataset.from_table(tmp_path / "out.parquet", task_name="pets", classes=["cat", "dog"])
    assert renamed.info.tasks == [TaskInfo.from_class_names(primitive, ["cat", "dog"], "pets")]


def test_metadata_of_others_is_no_task(images: Path) -> None:
    frame = pl.DataFrame({"file": ["im0.png"], "label": ["cat"]})
    path = images / "t.parquet"
    frame.write_parquet(path, metadata={"pandas": "{}"})
    assert Dataset.from_table(path).info.task().class_names == ["cat"]
    frame.write_parquet(path, metadata={"sightline": '{"task": 3}'})
    with pytest.raises(SightlineError, match=r"t\.parquet: its metadata 'sightline' holds no task"):
        Dataset.from_table(path)


def test_recognition(images: Path) -> None:
    assert is_table(_table(images, "a"))
    assert not is_table(images)
    assert not is_table(images / "nowhere.csv")
