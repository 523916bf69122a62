from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from sightline.data import Bbox, Bitmask, Dataset, DatasetInfo, Sample, Segmentation, TaskInfo
from sightline.data.exif import find_gps
from sightline.data.primitives import Primitive
from sightline.errors import SightlineError

SIDE = 160
FACE = (40, 30, 104, 94)  # left, top, right, bottom


def _photo(path: Path, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude: (1.0, 2.0, 3.0)}
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def _box(class_name: str = "face", at: tuple[int, int, int, int] = FACE) -> Bbox:
    left, top, right, bottom = at
    box = Bbox.from_pixels(
        left=left, top=top, width=right - left, height=bottom - top, image_width=SIDE, image_height=SIDE
    )
    box.class_name = class_name
    return box


def _dataset(*samples: Sample, kind: type[Primitive] = Bbox) -> Dataset:
    task = TaskInfo.from_class_names(kind, ["face", "plate", "tree"])
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="street", tasks=[task]))


def _sample(path: Path, *boxes: Bbox) -> Sample:
    return Sample(file_path=str(path), height=SIDE, width=SIDE, bboxes=list(boxes))


def _changed(before: Path, after: Sample) -> np.ndarray:
    return (np.asarray(Image.open(before)) != after.read_image()).any(axis=2)


@pytest.mark.parametrize("how", ["blur", "pixelate", "fill"])
def test_only_the_object_and_its_margin_change(tmp_path: Path, how: str) -> None:
    path = _photo(tmp_path / "a.png")
    dataset = _dataset(_sample(path, _box()))
    [made] = dataset.blur_objects(tmp_path / "new", how=how, margin=0.25)  # pyright: ignore[reportArgumentType]
    rows, columns = np.nonzero(_changed(path, made))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (24, 14, 120, 110)
    assert made.bboxes == dataset[0].bboxes
    assert find_gps([made.file_path or ""]).is_empty()


@pytest.mark.parametrize("how", ["blur", "pixelate", "fill"])
def test_sixteen_colours_are_all_that_is_left(tmp_path: Path, how: str) -> None:
    """Two photos with the same means of 4 x 4 cells give the same picture, so nothing finer can come back."""
    left, top, right, bottom = FACE
    first = np.asarray(Image.open(_photo(tmp_path / "a.png"))).copy()
    second = first.copy()
    cells = second[top:bottom, left:right].reshape(4, 16, 4, 16, 3)
    second[top:bottom, left:right] = cells[:, ::-1, :, ::-1].reshape(64, 64, 3)
    Image.fromarray(second).save(tmp_path / "b.png")
    assert (first != second).any()
    dataset = _dataset(_sample(tmp_path / "a.png", _box()), _sample(tmp_path / "b.png", _box()))
    made = dataset.blur_objects(tmp_path / "new", how=how, margin=0)  # pyright: ignore[reportArgumentType]
    assert (made[0].read_image() == made[1].read_image()).all()


def test_small_objects_have_fewer_cells(tmp_path: Path) -> None:
    path = _photo(tmp_path / "a.png")
    dataset = _dataset(_sample(path, _box(at=(10, 10, 16, 22))))
    made = dataset.blur_objects(tmp_path / "new", how="pixelate", margin=0)[0].read_image()[10:22, 10:16]
    assert len(np.unique(made.reshape(-1, 3), axis=0)) <= 3


def test_classes_and_images_without_objects(tmp_path: Path) -> None:
    first, second = _photo(tmp_path / "a.png"), _photo(tmp_path / "b.png", seed=1)
    tree = _box("tree", (100, 100, 150, 150))
    dataset = _dataset(_sample(first, _box(), tree), _sample(second, tree))
    made = dataset.blur_objects(tmp_path / "new", classes=["f*", "plate"], how="fill")
    assert _changed(first, made[0])[60, 60]
    assert not _changed(first, made[0])[120:, 120:].any()
    assert not _changed(second, made[1]).any()
    assert find_gps(made.samples["file_path"].to_list()).is_empty()
    assert len(find_gps([first, second])) == 2


def test_an_image_of_two_samples_hides_the_objects_of_both(tmp_path: Path) -> None:
    path = _photo(tmp_path / "a.png")
    other = (110, 110, 150, 150)
    dataset = _dataset(_sample(path, _box()), _sample(path, _box(at=other)))
    made = dataset.blur_objects(tmp_path / "new", how="fill", margin=0)
    assert made[0].file_path == made[1].file_path
    changed = _changed(path, made[0])
    assert changed[60, 60]
    assert changed[130, 130]


@pytest.mark.parametrize("kind", [Bitmask, Segmentation])
def test_masks_are_hidden_by_rectangles(tmp_path: Path, kind: type[Bitmask]) -> None:
    path = _photo(tmp_path / "a.png")
    mask = np.zeros((SIDE, SIDE), bool)
    mask[np.arange(20, 40), np.arange(20, 40)] = mask[np.arange(20, 39), np.arange(21, 40)] = True
    mask[100:110, 100:110] = True
    sample = Sample(
        file_path=str(path), height=SIDE, width=SIDE, bitmasks=[kind.from_mask(mask, class_name="face")]
    )
    [made] = _dataset(sample, kind=kind).blur_objects(tmp_path / "new", how="fill", margin=0)
    changed = _changed(path, made)
    assert changed[21, 38]  # beside the outline, within the rectangle
    assert changed[50, 50] == (
        kind is Bitmask
    )  # between the parts: a segmentation's are objects of their own
    assert changed[105, 105]


def test_metadata_is_stripped_and_jpegs_stay_as_they_are(tmp_path: Path) -> None:
    path = _photo(tmp_path / "a.jpg")
    [made] = _dataset(_sample(path, _box())).strip_metadata(tmp_path / "new")
    assert find_gps([made.file_path or ""]).is_empty()
    assert not _changed(path, made).any()
    assert made.bboxes


def test_bad_arguments_are_one_sentence(tmp_path: Path) -> None:
    dataset = _dataset(_sample(_photo(tmp_path / "a.png"), _box()))
    for arguments, message in (
        ({"how": "smear"}, "how='smear' is not one of blur, pixelate, fill"),
        ({"margin": -0.1}, "margin is -0.1"),
        ({"classes": ["car"]}, "'car' is no class of task 'object_detection'"),
        ({"task": "masks"}, "has no task named 'masks'"),
    ):
        with pytest.raises(SightlineError, match=message):
            dataset.blur_objects(tmp_path / "new", **arguments)
    two = DatasetInfo(dataset_name="x", tasks=[TaskInfo(primitive=Bbox), TaskInfo(primitive=Bitmask)])
    with pytest.raises(SightlineError, match="several tasks with shapes or none"):
        Dataset.from_samples([_sample(tmp_path / "a.png")], two).blur_objects(tmp_path / "new")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(SightlineError, match=r"a\.png: cannot be read as an image"):
        dataset.blur_objects(tmp_path / "new")
