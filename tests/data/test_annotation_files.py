import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data import Bbox, Classification, Dataset, Sample, annotation_files
from sightline.data.annotation_files import read_annotations, write_annotations
from sightline.data.schema import SAMPLE_SCHEMA
from sightline.dataset_folder import JSONL_FILE, PARQUET_FILE
from sightline.errors import SightlineError
from tests.data.factory import INFO, samples


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(samples(Path("a.png")), max_size=4))
def test_what_is_written_is_read_back_from_either_file(written: list[Sample]) -> None:
    dataset = Dataset.from_samples(written, INFO)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_annotations(dataset.samples, folder)
        from_parquet = read_annotations(folder, INFO.dataset_name)
        (folder / PARQUET_FILE).unlink()
        from_jsonl = read_annotations(folder, INFO.dataset_name)
    assert from_parquet.schema == SAMPLE_SCHEMA
    assert list(Dataset(INFO, from_parquet)) == list(dataset)
    assert list(Dataset(INFO, from_jsonl)) == list(dataset)


def _frame(samples: list[Sample]) -> pl.DataFrame:
    return Dataset.from_samples(samples, INFO).samples


def _boxed(**fields: object) -> Sample:
    box = Bbox(top_left_x=0.1, top_left_y=0.1, width=0.1, height=0.1, class_name="cat", **fields)  # type: ignore[arg-type]
    return Sample(file_path="a.png", height=1, width=1, bboxes=[box])


def test_unknown_confidence_and_zero_and_one_stay_apart(tmp_path: Path) -> None:
    confidences = [None, 0.0, 1.0]
    write_annotations(_frame([_boxed(confidence=confidence) for confidence in confidences]), tmp_path)
    read = read_annotations(tmp_path, "x")
    assert read["bboxes"].explode().struct.field("confidence").to_list() == confidences
    on_disk = pl.read_parquet(tmp_path / PARQUET_FILE)["bboxes"].explode().struct.field("confidence")
    assert on_disk.null_count() == 0, "other readers refuse null"


def test_no_list_and_an_empty_list_stay_apart(tmp_path: Path) -> None:
    written = [Sample(file_path="a.png", height=1, width=1, bboxes=boxes) for boxes in (None, [], None)]
    write_annotations(_frame(written), tmp_path)
    assert read_annotations(tmp_path, "x")["bboxes"].to_list() == [None, [], None]


def test_jsonl_shows_meta_as_objects_and_no_unused_fields(tmp_path: Path) -> None:
    meta = {"text": '"meta":{"json":"{}"}', "ö": [1, None, {"meta": {"json": "x"}}]}
    write_annotations(_frame([_boxed(meta=meta)]), tmp_path)
    row = json.loads((tmp_path / JSONL_FILE).read_text())
    assert row["bboxes"][0]["meta"] == meta
    assert "polygons" not in row
    assert "confidence" not in row["bboxes"][0]


def test_the_same_frame_gives_the_same_bytes(tmp_path: Path) -> None:
    frame = _frame([_boxed(confidence=0.5), _boxed(meta={"a": 1})])
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_annotations(frame, tmp_path / name)
    for file in (PARQUET_FILE, JSONL_FILE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('{"height":1,"width":1,"file_path":"a"}\n{"height":', "line 2 is not valid JSON at column 11"),
        ("[1]\n", "line 1 is not a JSON object"),
        ('{"height":1,"width":1,"file_path":"a"}\n{"height":"x","width":1,"file_path":"b"}', "line 2"),
        ('{"width":1,"file_path":"a"}', "line 1: column 'height' is missing"),
        ('{"height":1,"width":1,"bboxes":"none"}', "line 1: column 'bboxes' is of type String"),
    ],
)
def test_broken_jsonl_is_named_by_line(tmp_path: Path, lines: str, sentence: str) -> None:
    (tmp_path / JSONL_FILE).write_text(lines)
    with pytest.raises(SightlineError, match=sentence) as caught:
        read_annotations(tmp_path, "x")
    assert JSONL_FILE in str(caught.value)


def test_jsonl_that_is_not_utf_8_is_named_by_line(tmp_path: Path) -> None:
    line = b'{"height":1,"width":1,"file_path":"%s"}\n'
    (tmp_path / JSONL_FILE).write_bytes(line % b"a" + line % "\xe9".encode("latin-1"))
    with pytest.raises(SightlineError, match=r"annotations\.jsonl: line 2 is not UTF-8 from byte 36 on"):
        read_annotations(tmp_path, "x")


def test_broken_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / PARQUET_FILE).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(SightlineError, match="cannot be read as a parquet file"):
        read_annotations(tmp_path, "x")


def test_neither_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"has neither annotations\.parquet nor annotations\.jsonl"):
        read_annotations(tmp_path, "x")


def test_classifications_as_attributes_survive_two_levels(tmp_path: Path) -> None:
    tone = Classification(class_name="pale", task_name="tone", confidence=0.0)
    colour = Classification(class_name="grey", task_name="colour", classifications=[tone])
    write_annotations(_frame([_boxed(classifications=[colour])]), tmp_path)
    (sample,) = Dataset(INFO, read_annotations(tmp_path, "x"))
    assert sample.bboxes is not None
    assert sample.bboxes[0].classifications == [colour]


@pytest.mark.parametrize("most", [0, 1, 2, 300])
def test_texts_that_repeat_are_text_to_every_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(annotation_files, "_DICTIONARY", most)
    boxed = [_boxed(classifications=[Classification(class_name=f"tone {n}")]) for n in range(300)]
    frame = _frame([*boxed, Sample(file_path="b.png", height=1, width=1, bboxes=[])])
    write_annotations(frame, tmp_path)
    assert read_annotations(tmp_path, "x").equals(frame)
    found = pl.read_parquet(tmp_path / PARQUET_FILE)["bboxes"].explode().struct
    assert found.field("class_name").dtype == found.field("task_name").dtype == pl.String
    nested = found.field("classifications").explode().struct.field("class_name")
    assert nested.dtype == pl.String
    assert nested.drop_nulls().to_list() == [f"tone {n}" for n in range(300)]


def test_texts_that_repeat_are_stored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = _frame([_boxed(object_id=f"{n}" * 3) for n in range(3000)])
    write_annotations(frame, tmp_path)
    size = (tmp_path / PARQUET_FILE).stat().st_size
    monkeypatch.setattr(annotation_files, "_DICTIONARY", 0)
    write_annotations(frame, tmp_path)
    assert size < (tmp_path / PARQUET_FILE).stat().st_size


def test_many_rows_are_many_groups_of_rows_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotation_files, "_ROW_GROUP", 2)
    monkeypatch.setattr(annotation_files, "_LINES", 2)
    for meta in (None, {"a": 1}):
        frame = _frame([_boxed(object_id=str(number), meta=meta) for number in range(7)])
        write_annotations(frame, tmp_path)
        assert read_annotations(tmp_path, "x").equals(frame)
        lines = (tmp_path / JSONL_FILE).read_text().splitlines()
        ids = [json.loads(line)["bboxes"][0]["object_id"] for line in lines]
        assert ids == list("0123456")


def test_whole_numbers_among_fractions_and_repeated_indices_in_jsonl(tmp_path: Path) -> None:
    box = '{"top_left_x":0,"top_left_y":0.5,"width":%s,"height":0.5,"class_name":"cat"}'
    row = '{"sample_index":7,"file_path":"a.png","height":12,"width":16,"split":"train","bboxes":[%s]}'
    lines = [row % (box % width) for width in ("1", "0.25", "0")]
    (tmp_path / JSONL_FILE).write_text("\n".join(lines))
    frame = read_annotations(tmp_path, "made-up")
    assert [boxes[0]["width"] for boxes in frame["bboxes"]] == [1.0, 0.25, 0.0]
    assert frame["sample_index"].to_list() == [7, 7, 7]  # for `Dataset.check` to find
