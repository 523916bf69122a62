from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.data import Bbox, Dataset, DatasetInfo, TaskInfo
from sightline.data.look.figures import label_apart, log_ticks, logarithmic, new_figure, thousands
from sightline.data.look.plots import _size_labels
from tests.data.factory import INFO, classification_dataset
from tests.needs import shared_data


def test_every_plot_of_real_data(tmp_path: Path) -> None:
    whole = Dataset.from_path(shared_data("hafnia-format") / "bccd-mini")
    dataset = whole.drop_task("polygons").drop_task("bitmasks")
    paths = dataset.plot(tmp_path)
    assert [path.name for path in paths] == [
        "splits.png",
        "image_sizes.png",
        "classes-bboxes.png",
        "classes-Preparation.png",
        "sizes-bboxes.png",
        "places-bboxes.png",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert len(np.unique(np.asarray(image.convert("L")))) > 10


def test_names_of_any_letters_and_many_classes(tmp_path: Path) -> None:
    names = ["$x$", "猫", "a/b", *(f"class {number}" for number in range(40))]
    task = TaskInfo.from_class_names(Bbox, names, "a/b")
    other = TaskInfo.from_class_names(Bbox, names, "a_b")
    sample = classification_dataset(tmp_path / "images", {("train", "x"): 1})[0]
    sample.classifications = None
    sample.bboxes = [
        Bbox(top_left_x=0, top_left_y=0, width=0.5, height=0.5, class_name=name, task_name=which.name)
        for which in (task, other)
        for name in names
    ]
    dataset = Dataset.from_samples([sample], DatasetInfo(dataset_name="x", tasks=[task, other]))
    stems = [path.stem for path in dataset.plot(tmp_path / "plots")]
    assert stems == [
        "splits", "image_sizes", "classes-a_b", "classes-a_b_",
        "sizes-a_b", "places-a_b", "sizes-a_b_", "places-a_b_",
    ]  # fmt: skip


def test_a_segmentation_has_shares_of_the_pixels_instead_of_objects(tmp_path: Path) -> None:
    whole = Dataset.from_path(shared_data("hafnia-format") / "bccd-mini")
    for task in ("bboxes", "polygons", "Preparation"):
        whole = whole.drop_task(task)
    masks = [path.stem for path in whole.plot(tmp_path / "masks")]
    assert masks[2:] == ["classes-bitmasks", "sizes-bitmasks", "places-bitmasks"]
    segmentation = whole.convert_task("bitmasks", "Segmentation")
    assert [path.stem for path in segmentation.plot(tmp_path)][2:] == ["classes-bitmasks", "pixels-bitmasks"]


def test_long_titles_are_wrapped_and_stay_within_the_figure() -> None:
    for title in ("word " * 50, "x" * 300, "Ελληνικά_" * 30, "W" * 300, "$a$" * 99, "short"):
        figure, axes = new_figure(6.5, 4, title)
        axes.plot([1, 2])
        figure.draw_without_rendering()
        shown = figure.texts[0]
        extent = shown.get_window_extent()
        assert 0 <= extent.x0 < extent.x1 <= figure.bbox.x1
        assert axes.get_window_extent().y1 <= extent.y0 < extent.y1 <= figure.bbox.y1
        assert shown.get_text().count("\n") <= 2
        assert ("…" in shown.get_text()) == (title != "short")


@given(st.floats(0.5, 20000), st.floats(1.2, 1e5))
def test_a_logarithmic_axis_has_two_labels_or_more(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert len(ticks) == len({thousands(tick) for tick in ticks}) >= 2
    assert low <= ticks[0] < ticks[-1] <= low * factor


def test_ticks_of_a_narrow_axis_are_written() -> None:
    _, axes = new_figure(6.5, 4, "narrow")
    logarithmic(axes, 41, 49.5, "both")
    for axis in (axes.xaxis, axes.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == ["42", "44", "46", "48"]


def test_labels_are_apart_and_within_the_axes() -> None:
    figure, axes = new_figure(6.5, 5.5, "sizes")
    axes.set(xlim=(0, 100), ylim=(0, 100))
    places = [(50.0 + n % 5, 50.0 + n // 5) for n in range(25)] + [(99.0, 99.0), (1.0, 1.0)]
    written = label_apart(figure, axes, places, [f"{n} x {n}: 4%" for n in range(len(places))])
    extents = [text.get_window_extent() for text in axes.texts]
    assert 6 <= written == len(extents) < len(places)
    inside = axes.get_window_extent()
    assert all(inside.x0 <= e.x0 and e.x1 <= inside.x1 and e.y1 <= inside.y1 for e in extents)
    assert not any(a.overlaps(b) for n, a in enumerate(extents) for b in extents[:n])
    assert axes.texts[-1].get_text() == "26 x 26: 4%"


def test_close_image_sizes_share_a_label() -> None:
    places = np.array([(640, 480), (640, 481), (100, 100), (645, 470)])
    labels = _size_labels(places, np.array([0.4, 0.3, 0.2, 0.1]), 20)
    assert labels == [((640, 480), "640 x 480 and 2 close to it: 80%"), ((100, 100), "100 x 100: 20%")]
    many = np.stack([np.arange(50) * 100] * 2, axis=1)
    assert len(_size_labels(many, np.full(50, 0.02), 20)) == 12
    assert [label for _, label in _size_labels(many, np.full(50, 0.002), 20)] == ["0 x 0: 0%"]


def test_nothing_has_no_plots(tmp_path: Path) -> None:
    assert Dataset.from_samples([], INFO).plot(tmp_path / "plots") == []
