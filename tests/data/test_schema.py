import polars as pl

from sightline.data import Dataset, Sample
from sightline.data.schema import PRIMITIVE_COLUMNS, SAMPLE_SCHEMA, attribute_columns
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
