import polars as pl
import pytest

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.errors import SightlineError
from tests.needs import shared_data

INFO = DatasetInfo(
    dataset_name="street",
    tasks=[
        TaskInfo.from_class_names(Bbox, ["car", "bus", "bicycle"], "objects"),
        TaskInfo.from_class_names(Bbox, ["car"], "predictions"),
        TaskInfo(primitive=Classification, name="caption"),
    ],
)


def _box(
    name: str | None, width: float = 0.5, confidence: float | None = None, task: str = "objects"
) -> Bbox:
    box = Bbox(top_left_x=0, top_left_y=0, width=width, height=0.5, class_name=name, confidence=confidence)
    box.task_name = task
    box.meta = {"occluded": width < 0.2}
    return box


def _street() -> Dataset:
    def sample(n: int, boxes: list[Bbox] | None, tags: list[str], weather: str | None) -> Sample:
        meta = None if weather is None else {"weather": weather, "site": {"lane": n}}
        split = "train" if n < 2 else "test"
        return Sample(
            file_path=f"/x/{n}.png",
            height=10,
            width=100 * n + 100,
            split=split,
            bboxes=boxes,
            tags=tags,
            meta=meta,
        )

    samples = [
        sample(
            0, [_box("car", 0.1), _box("bus", 0.9), _box("car", task="predictions")], ["a", "night"], "rain"
        ),
        sample(1, [_box("bicycle")], ["b"], "snow"),
        sample(2, [], ["a", "b"], None),
        sample(3, None, [], "rain"),
    ]
    return Dataset.from_samples(samples, INFO)


def _indices(dataset: Dataset) -> list[int]:
    return dataset.samples["sample_index"].to_list()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("width >= 200 AND split = 'train'", [1]),
        ("split IN ('train', 'test') AND NOT width > 300", [0, 1, 2]),
        ("file_path LIKE '%/3.png'", [3]),
        ("meta.weather = 'rain'", [0, 3]),
        ("meta.site.lane BETWEEN 1 AND 3", [1, 3]),
        ("array_length(bboxes) > 0", [0, 1]),
        ("bboxes IS NULL", [3]),
        ("array_contains(tags, 'a')", [0, 2]),
        ("video_info.name IS NOT NULL", []),
        (pl.col("width") > 250, [2, 3]),
    ],
)
def test_filter(expression: str | pl.Expr, expected: list[int]) -> None:
    assert _indices(_street().filter(expression)) == expected


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("widht > 3", "'widht' is no field of any sample .*; did you mean 'width'"),
        ('split = "train"', r"'train' is no field of any sample \(text stands in single quotes\)"),
        ("width >", "unable to parse"),
        ("width > 'a'", "cannot compare string with numeric"),
        ("width", "'width' is Int64 for each sample, expected true or false"),
        ("meta.wheather = 'rain'", "there is no field 'wheather' in any sample"),
        ("", "cannot be worked out"),
        ("1 = 1; DROP TABLE x", "cannot be worked out"),
        ("nonsense(width) = 1", "unsupported function 'nonsense'"),
    ],
)
def test_an_expression_that_cannot_be_is_one_sentence(expression: str, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence) as caught:
        _street().filter(expression)
    assert "\n" not in str(caught.value)


def test_filter_by_meta_where_there_is_none() -> None:
    dataset = Dataset.from_samples([Sample(file_path=None, height=1, width=1)], INFO)
    with pytest.raises(SightlineError, match="there is no meta here"):
        dataset.filter("meta.weather = 'rain'")


def test_filter_annotations_leaves_other_tasks_and_what_was_not_annotated() -> None:
    small = _street().filter_annotations("width * height < 0.1", "objects")
    names = [None if s.bboxes is None else [(b.task_name, b.class_name) for b in s.bboxes] for s in small]
    assert names == [[("objects", "car"), ("predictions", "car")], [], [], None]


def test_filter_annotations_can_drop_the_samples_left_without() -> None:
    street = _street()
    assert _indices(street.filter_annotations("meta.occluded", "objects", remove_samples=True)) == [0]
    # An unknown confidence is not 0.5 or more, as in SQL.
    assert _indices(street.filter_annotations("confidence >= 0.5", "objects", remove_samples=True)) == []
    with pytest.raises(SightlineError, match="'clas_name' is no field of any annotation"):
        street.filter_annotations("clas_name = 'car'", "objects")
    with pytest.raises(SightlineError, match="has several tasks"):
        street.filter_annotations("width > 0")


@pytest.mark.parametrize(
    ("names", "match", "expected"),
    [
        (["car"], "any", [0]),
        (["b*"], "any", [0, 1]),
        (["car", "bus"], "all", [0]),
        (["car", "bicycle"], "all", []),
        (["car", "bicycle"], "none", [2, 3]),
    ],
)
def test_filter_samples_by_class(names: list[str], match, expected: list[int]) -> None:
    found = _street().filter_samples_by_class(names, "objects", match)
    assert _indices(found) == expected
    assert found.info == INFO


def test_a_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(SightlineError, match="'buss' is no class of task 'objects'; did you mean 'bus'"):
        _street().filter_samples_by_class(["buss"], "objects")


@pytest.mark.parametrize(
    ("tags", "match", "expected"),
    [
        (["a"], "any", [0, 2]),
        (["a", "b"], "any", [0, 1, 2]),
        (["a", "b"], "all", [2]),
        (["n*"], "any", [0]),
        (["a", "b"], "none", [3]),
        (["absent"], "any", []),
        ([], "any", []),
        ([], "all", [0, 1, 2, 3]),
        ([], "none", [0, 1, 2, 3]),
    ],
)
def test_filter_tags(tags: list[str], match, expected: list[int]) -> None:
    assert _indices(_street().filter_tags(tags, match)) == expected


def test_real_cells() -> None:
    cells = Dataset.from_path(shared_data("hafnia-format/bccd-mini"))
    platelets = sum(box.class_name == "Platelets" for sample in cells for box in sample.bboxes or ())
    only = cells.filter_annotations("class_name = 'Platelets'", "bboxes", remove_samples=True)
    assert sum(len(sample.bboxes or ()) for sample in only) == platelets > 0
    assert _indices(only) == _indices(cells.filter_samples_by_class(["Platelets"], "bboxes"))
    assert _indices(cells.filter("meta.slide = 3")) == [3]
