import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.data import Bbox, Bitmask, Dataset, DatasetInfo, Point, Polygon, Sample, TaskInfo
from sightline.data.operations.picture_steps import Crop, Encode, Flip, Grayscale, Pad, Resize
from sightline.data.primitives.outline import rasterise
from sightline.data.primitives.rle import decode_mask
from sightline.data.raster import rasterio_available
from sightline.errors import SightlineError
from tests.needs import needs, shared_data

HEIGHT, WIDTH = 40, 60
INFO = DatasetInfo(
    dataset_name="pictures",
    tasks=[TaskInfo.from_class_names(kind, ["thing"]) for kind in (Bbox, Bitmask, Polygon)],
)


def _scene(folder: Path, rectangle: tuple[int, int, int, int] = (10, 5, 30, 25)) -> Dataset:
    """A white rectangle (left, top, right, bottom) on black, annotated in all ways, also as an attribute."""
    left, top, right, bottom = rectangle
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[top:bottom, left:right] = 255
    path = folder / "scene.png"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    mask = Bitmask.from_mask(pixels[..., 0], class_name="thing")
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    outline = Polygon.from_pixels(corners, image_width=WIDTH, image_height=HEIGHT, class_name="thing")
    outline.area = mask.area
    box = Bbox.from_pixels(
        left=left, top=top, width=right - left, height=bottom - top, image_width=WIDTH, image_height=HEIGHT
    )
    box.class_name, box.area = "thing", mask.area
    box.bitmasks, box.polygons = [mask], [outline]
    sample = Sample(
        file_path=str(path), height=HEIGHT, width=WIDTH, bboxes=[box], bitmasks=[mask], polygons=[outline]
    )
    return Dataset.from_samples([sample], INFO)


def _white(sample: Sample) -> np.ndarray:
    return sample.read_image()[..., 0] > 127


steps = st.lists(
    st.sampled_from(
        [
            Flip(),
            Flip(direction="vertical"),
            Resize(width=120, height=80),
            Resize(longest_side=30),
            Pad(),
            Pad(width=130, height=90, place_at="top_left"),
            Crop(width=50, height=34),
            Crop(left=8, top=3, width=30, height=30),
            Grayscale(),
        ]
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_annotations_are_where_the_object_is_after_any_steps(tmp_path: Path, chosen: list) -> None:
    dataset = _scene(tmp_path)
    sample = dataset.transform_images(tmp_path / "new", chosen)[0]
    white = _white(sample)
    assert white.shape == (sample.height, sample.width)
    if not white.any():
        return
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    edges = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    [box] = sample.bboxes or []
    assert np.abs(np.array(box.to_pixels(sample.width, sample.height)) - edges).max() <= 1
    assert box.area == pytest.approx(box.width * box.height)
    for masks in (sample.bitmasks, box.bitmasks):
        [mask] = masks or []
        assert (
            np.count_nonzero(mask.to_mask(sample.height, sample.width) ^ white) <= 4 * sum(white.shape) / 10
        )
    for polygons in (sample.polygons, box.polygons):
        [polygon] = polygons or []
        outline = np.array(polygon.to_pixels(sample.width, sample.height))
        [text] = rasterise([outline], sample.height, sample.width)
        filled = decode_mask(text, sample.height, sample.width)
        assert np.count_nonzero(filled ^ white) <= 4 * sum(white.shape) / 10
        assert polygon.area == pytest.approx(box.area)


def test_flips_and_crops_are_exact(tmp_path: Path) -> None:
    dataset = _scene(tmp_path)
    made = dataset.transform_images(tmp_path / "new", [Flip(), Crop(left=35, top=0, width=25, height=20)])
    [sample] = made
    [mask], [box], [polygon] = sample.bitmasks or [], sample.bboxes or [], sample.polygons or []
    assert (mask.to_mask(20, 25) == _white(sample)).all()
    assert box.to_pixels(25, 20) == pytest.approx((0, 5, 15, 20))
    corners = np.sort(np.array(polygon.to_pixels(25, 20)).round(6), axis=0)
    assert corners.tolist() == [[0, 5], [0, 5], [15, 20], [15, 20]]
    assert dataset[0].width == WIDTH


def test_what_is_cut_off_is_dropped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = _scene(tmp_path)
    with caplog.at_level(logging.WARNING):
        [sample] = dataset.transform_images(tmp_path / "new", [Crop(left=40, top=0, width=20, height=40)])
    assert (sample.bboxes, sample.bitmasks, sample.polygons) == ([], [], [])
    assert "1 bboxes of which nothing is left dropped; the first is of" in caplog.text


@pytest.mark.parametrize(
    ("step", "size"),
    [
        (Resize(longest_side=30), (20, 30)),
        (Resize(width=30), (20, 30)),
        (Resize(height=80), (80, 120)),
        (Resize(longest_side=90, enlarge=False), (40, 60)),
        (Resize(width=7, height=9), (9, 7)),
        (Pad(), (60, 60)),
        (Pad(width=64, height=10), (40, 64)),
        (Crop(width=100, height=10), (10, 60)),
    ],
)
def test_sizes(tmp_path: Path, step: Any, size: tuple[int, int]) -> None:
    [sample] = _scene(tmp_path).transform_images(tmp_path / "new", [step])
    assert (sample.height, sample.width) == size
    assert sample.read_image().shape[:2] == size


def test_steps_are_json_and_stored_by_content(tmp_path: Path) -> None:
    dataset = _scene(tmp_path)
    as_json: Any = [{"step": "grayscale"}, {"step": "encode", "image_format": "jpg", "quality": 70}]
    paths = [
        dataset.transform_images(tmp_path / "new", given)[0].file_path
        for given in (as_json, [Grayscale(), Encode(image_format="jpg", quality=70)])
    ]
    assert paths[0] == paths[1]
    assert [path.name for path in (tmp_path / "new").rglob("*.*")] == [Path(paths[0] or "").name]
    with Image.open(paths[0] or "") as image:
        assert (image.format, image.mode) == ("JPEG", "L")


def test_a_geotiff_keeps_its_bands_and_its_place(tmp_path: Path) -> None:
    needs("rasterio", rasterio_available())
    import rasterio

    path = shared_data("naip-water") / "train" / "x"
    source = sorted(path.glob("*.tif"))[0]
    with rasterio.open(source) as raster:
        height, width, before = raster.height, raster.width, raster.bounds
        centre = raster.xy(150, 250)
    dataset = Dataset.from_samples(
        [Sample(file_path=str(source), height=height, width=width)], DatasetInfo(dataset_name="aerial")
    )
    made = dataset.transform_images(
        tmp_path, [Crop(left=100, top=50, width=400, height=300), Resize(width=200, height=150)]
    )
    with rasterio.open(made[0].file_path) as raster:
        assert (raster.count, raster.height, raster.width) == (4, 150, 200)
        assert raster.index(*centre) == (50, 75)
        assert raster.bounds.left > before.left
        assert raster.res[0] == pytest.approx(2 * (before.right - before.left) / width)


def test_sixteen_bits_stay(tmp_path: Path) -> None:
    values = (np.arange(2400, dtype=np.uint16) * 27).reshape(HEIGHT, WIDTH)
    Image.fromarray(values).save(tmp_path / "deep.png")
    sample = Sample(file_path=str(tmp_path / "deep.png"), height=HEIGHT, width=WIDTH)
    dataset = Dataset.from_samples([sample], DatasetInfo(dataset_name="deep"))
    [made] = dataset.transform_images(tmp_path / "new", [Flip()])
    assert (made.read_bands()[..., 0] == values[:, ::-1]).all()
    with pytest.raises(SightlineError, match=r"deep\.png: has 1 bands of uint16, which \.jpg does not hold"):
        dataset.transform_images(tmp_path / "new", [Encode(image_format="jpg")])


def test_bad_steps_and_images_are_one_sentence(tmp_path: Path) -> None:
    dataset = _scene(tmp_path)
    bad: list[tuple[Any, str]] = [
        (
            [{"step": "rotate"}],
            "^steps: step 1: there is no step 'rotate'; there are resize, pad, crop, flip",
        ),
        ([Flip(), {"step": "resise"}], r"^steps: step 2: there is no step 'resise'; did you mean 'resize'\?"),
        ([{"step": "resize"}], "^steps: step 1, 'resize': resize takes either longest_side"),
        (
            [{"step": "crop", "width": 0, "height": 5}],
            r"^steps: step 1, 'crop', 'width': expected whole number >= 1, found 0\.$",
        ),
        ([{"step": "crop", "width": 5}], "^steps: step 1, 'crop': the key 'height' is missing; add it"),
        (
            [{"step": "flip", "direction": "up"}],
            "^steps: .* expected one of horizontal, vertical, found 'up'",
        ),
        ([{"step": "flip", "direktion": "x"}], r"no argument 'direktion'; did you mean 'direction'\?$"),
        ([{"step": "grayscale", "x": 1}], "no argument 'x'; it takes no more"),
        (["flip"], "^steps: step 1: 'flip' is no step; write"),
        ([{}], "^steps: step 1: {} is no step; write"),
        ([Crop(left=60, top=0, width=5, height=5)], "leaves nothing of an image of 60 x 40 pixels"),
    ]
    for chosen, message in bad:
        with pytest.raises(SightlineError, match=message):
            dataset.transform_images(tmp_path / "new", chosen)
    Image.new("RGB", (9, 9)).save(tmp_path / "scene.png")
    with pytest.raises(SightlineError, match=r"scene\.png: is 9 x 9 pixels, but the dataset says 40 x 60"):
        dataset.transform_images(tmp_path / "new", [Flip()])
    (tmp_path / "scene.png").write_bytes(b"no image")
    with pytest.raises(SightlineError, match=r"scene\.png: cannot be read as an image"):
        dataset.transform_images(tmp_path / "new", [Flip()])
    assert not list((tmp_path / "new").rglob("*.png"))


@pytest.mark.parametrize("image_format", ["png", "tif"])
def test_a_failure_removes_what_was_stored(tmp_path: Path, image_format: Literal["png", "tif"]) -> None:
    first = _scene(tmp_path / "a")
    first.transform_images(tmp_path / "new", [Encode(image_format=image_format)])
    before = sorted((tmp_path / "new").rglob("*.*"))
    assert before
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "broken.png").write_bytes(b"no image")
    broken = Sample(file_path=str(tmp_path / "b" / "broken.png"), height=HEIGHT, width=WIDTH)
    both = Dataset.from_samples([*first, broken], INFO)
    with pytest.raises(SightlineError, match=r"broken\.png"):
        both.transform_images(tmp_path / "new", [Flip(), Encode(image_format=image_format)])
    with pytest.raises(SightlineError, match=r"broken\.png"):
        both.transform_images(tmp_path / "new", [Encode(image_format=image_format)])
    assert sorted((tmp_path / "new").rglob("*.*")) == before


def test_points_without_an_outline_stay(tmp_path: Path) -> None:
    dataset = _scene(tmp_path)
    sample = dataset[0]
    sample.polygons = [
        Polygon(points=[], class_name="thing"),
        Polygon(points=[Point(0.5, 0.5)], class_name="thing"),
    ]
    [made] = Dataset.from_samples([sample], INFO).transform_images(tmp_path / "new", [Flip(), Pad()])
    assert [len(polygon.points) for polygon in made.polygons or []] == [0, 1]
