"""Real images through the command line, from one format to the next, judged by other programs."""

import json
import zipfile
from collections import Counter
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sightline.cli.main import main
from sightline.data import Dataset
from sightline.data.annotation_tables import annotation_table
from tests.needs import needs, shared_data


@pytest.fixture
def work(tmp_path: Path):
    """A folder to work in; relative paths in commands are below it."""
    with chdir(tmp_path):
        yield tmp_path


def sightline(*words: str | Path, code: int = 0) -> str:
    """``sightline WORDS``, in this process; returns its output."""
    out = StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert int(end.value.code or 0) == code, out.getvalue()
    return out.getvalue()


def boxes(dataset: Dataset) -> pl.DataFrame:
    """All boxes, ordered by image name, class and place in whole pixels of 640 x 480: formats round."""
    paths = dataset.samples.select(pl.col("file_path").str.extract(r"([^/]+)$").alias("name"), "split")
    table = annotation_table(dataset.samples, "bboxes")
    columns = ["name", "split", "class_name", "top_left_x", "top_left_y", "width", "height"]
    rows = table.with_columns(paths[table["position"].cast(pl.Int64)])
    across, down = pl.col("top_left_x", "width") * 640, pl.col("top_left_y", "height") * 480
    return rows.select(columns).sort([pl.col(*columns[:3]), across.round(), down.round()])


def test_bccd_from_voc_to_coco_to_yolo_and_back(work: Path) -> None:
    sightline("dataset", "convert", shared_data("bccd"), "bccd", "--from", "voc")
    sightline("dataset", "convert", "bccd", "coco", "--to", "coco")
    sightline("dataset", "convert", "coco", "yolo", "--to", "yolo")
    sightline("dataset", "convert", "yolo", "back")
    before, after = boxes(Dataset.from_path("bccd")), boxes(Dataset.from_path("back"))
    assert len(before) == len(after) > 4000
    kept = ["name", "split", "class_name"]
    assert before.select(kept).equals(after.select(kept))
    numbers = ["top_left_x", "top_left_y", "width", "height"]
    assert np.abs(before.select(numbers).to_numpy() - after.select(numbers).to_numpy()).max() < 1e-4
    assert set(before["class_name"]) == {"RBC", "WBC", "Platelets"}
    sightline("dataset", "convert", "back", "voc", "--to", "voc")

    from torchvision.datasets import CocoDetection, VOCDetection  # noqa: F401

    annotations = Path("coco") / "annotations" / "instances_train.json"
    images = CocoDetection("coco/train", str(annotations))
    assert len(images) == len(Dataset.from_path("bccd").create_split_dataset("train"))
    image, targets = images[0]
    assert image.size == (640, 480)
    assert targets


def test_a_coco_export_scores_itself_perfectly(work: Path) -> None:
    from faster_coco_eval import COCO, COCOeval_faster

    sightline("dataset", "convert", shared_data("bccd"), "coco", "--to", "coco", "--from", "voc")
    truth = COCO(str(work / "coco" / "annotations" / "instances_test.json"))
    results = [
        {key: annotation[key] for key in ("image_id", "category_id", "bbox")} | {"score": 1.0}
        for annotation in truth.dataset["annotations"]
    ]
    evaluation = COCOeval_faster(truth, truth.loadRes(results), "bbox", print_function=lambda *_: None)
    evaluation.run()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_cifar10_as_an_image_folder(work: Path) -> None:
    zipfile.ZipFile(shared_data("cifar10") / "cifar10-6k.zip").extractall(work)
    sightline("dataset", "convert", "cifar10", "dataset", "--how", "hardlink")
    dataset = Dataset.from_path("dataset")
    assert Counter(dataset.samples["split"]) == {"train": 5000, "test": 1000}
    assert dataset.check("decode").is_empty()
    sightline("dataset", "convert", "dataset", "folder", "--to", "image_folder", "--how", "hardlink")

    from torchvision.datasets import ImageFolder

    theirs = ImageFolder("folder/train")
    assert len(theirs) == 5000
    assert theirs.classes == dataset.info.task().class_names
    contents = {
        side: Counter(
            (path.parent.name, path.read_bytes()) for path in Path(side, "test").rglob("*") if path.is_file()
        )
        for side in ("cifar10", "folder")
    }
    assert contents["cifar10"] == contents["folder"]


def test_drone_frames_are_split_by_video(work: Path) -> None:
    sightline("dataset", "convert", shared_data("drone-ir") / "frames", "frames", "--how", "symlink")
    by_video = "create_splits ratios.train=0.7 ratios.test=0.3 group_by=collection_id"
    sightline(
        *("dataset", "apply", "frames", "split", by_video, "--manifest", "splits.json", "--how", "symlink")
    )
    dataset = Dataset.from_path("split")
    splits_of_video = dataset.samples.group_by("collection_id").agg(pl.col("split").n_unique())
    assert len(splits_of_video) == 12
    assert splits_of_video["split"].max() == 1
    assert dataset.check().is_empty()
    # The same videos fall into the same splits when the manifest is applied to the frames anew.
    sightline("dataset", "apply", "frames", "again", "apply_split_manifest manifest=splits.json")
    columns = ["collection_id", "collection_index", "split"]
    again = Dataset.from_path("again")
    assert again.samples.select(columns).sort(columns).equals(dataset.samples.select(columns).sort(columns))
    # Frames dealt out one by one would leak, and that is found.
    sightline("dataset", "apply", "frames", "leaky", "create_splits ratios.train=0.5 ratios.test=0.5")
    problems = json.loads(sightline("dataset", "check", "leaky", "--json", code=1))
    assert {problem["problem"] for problem in problems} == {"leak between splits"}


def test_naip_chips_keep_their_place_on_earth(work: Path) -> None:
    needs("rasterio", _has("rasterio"))
    import rasterio

    sightline("dataset", "convert", shared_data("naip-water"), "naip")
    sightline("dataset", "apply", "naip", "chips", "tile size=256 stride=256")
    whole, chips = Dataset.from_path("naip"), Dataset.from_path("chips")
    assert chips.check().is_empty()
    sources = {Path(sample.file_path or "").name: sample for sample in whole}
    checked = 0
    for chip in chips:
        assert chip.file_path
        assert chip.meta
        with rasterio.open(chip.file_path) as opened:
            pixels, transform, crs = opened.read(), opened.transform, opened.crs
        source = sources[Path(chip.meta["tile"]["source"]).name]
        assert source.file_path
        with rasterio.open(source.file_path) as opened:
            assert opened.crs == crs
            column, row = ~opened.transform @ (transform @ (0, 0))
            left, top = round(column), round(row)
            assert (column, row) == (pytest.approx(left, abs=1e-6), pytest.approx(top, abs=1e-6))
            width, height = min(256, opened.width - left), min(256, opened.height - top)
            window = rasterio.windows.Window(left, top, width, height)
            assert np.array_equal(pixels[:, :height, :width], opened.read(window=window))
        checked += 1
    assert checked == len(chips) > 70


def test_micro_coco_masks_are_kept_pixel_by_pixel(work: Path) -> None:
    sightline("dataset", "convert", shared_data("hafnia-format") / "micro-coco-2017", "first")
    sightline("dataset", "convert", "first", "coco", "--to", "coco")
    sightline("dataset", "convert", "coco", "second")
    first, second = Dataset.from_path("first"), Dataset.from_path("second")
    by_name = {Path(sample.file_path or "").name: sample for sample in second}
    count = 0
    for sample in first:
        masks, others = (
            Counter((mask.class_name, mask.to_mask(s.height, s.width).tobytes()) for mask in s.bitmasks or ())
            for s in (sample, by_name[Path(sample.file_path or "").name])
        )
        assert masks == others
        count += masks.total()
    assert count > 10


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None
