import polars as pl
import pytest

from sightline.data import Dataset, Sample
from sightline.data.schema import PRIMITIVE_COLUMNS, SAMPLE_SCHEMA, attribute_columns
from sightline.errors import SightlineError
from tests.data.factory import INFO


def test_the_columns_are_those_of_the_dataset_folder() -> None:
    assert set(SAMPLE_SCHEMA) == {
        "sample_index", "file_path", "height", "width", "split", "tags", "storage_format",
        "collection_index", "collection_id", "remote_path", "dataset_name", "classifications", "bboxes",
        "bitmasks", "polygons", "attribution", "video_info", "camera_info", "position", "orientation", "meta",
    }  # fmt: skip


def test_frames_of_very_different_samples_can_be_concatenated() -> None:
    bare = Sample(file_path=None, height=1, width=1)
    rich = Sample(file_path="a", height=1, width=1, bboxes=[], meta={"a": 1}, classifications=[])
    frames = [Dataset.from_samples(samples, INFO).samples for samples in ([bare], [rich], [])]
    assert all(frame.schema == SAMPLE_SCHEMA for frame in frames)
    assert len(pl.concat(frames)) == 2


def test_nesting_ends_at_classifications_of_attributes() -> None:
    assert attribute_columns("bboxes", 0) == PRIMITIVE_COLUMNS
    assert attribute_columns("classifications", 0) == ("classifications",)
    assert attribute_columns("bboxes", 1) == ("classifications",)
    assert attribute_columns("classifications", 2) == ()


def test_a_wrong_type_is_named_at_its_innermost_place():
    frame = SAMPLE_SCHEMA.to_frame()
    changed = pl.col("bboxes").list.eval(
        pl.element().struct.with_fields(
            pl.field("classifications").list.eval(pl.element().struct.with_fields(x=1))
        )
    )
    for wrong, problem in [
        (frame.with_columns(pl.col("height").cast(pl.Int32)), "height is Int32, expected Int64"),
        (frame.drop("tags"), "tags is missing, expected a list"),
        (frame.with_columns(changed), "bboxes.classifications has the field 'x', which it must not"),
    ]:
        with pytest.raises(SightlineError, match=problem):
            Dataset(INFO, wrong)
