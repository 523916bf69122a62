from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.data import jpeg
from sightline.data.images import image_size, read_rgb
from sightline.data.jpeg import read_pixels
from sightline.errors import SightlineError
from tests.data.factory import write_picture
from tests.needs import shared_data

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (19, 30, 3), dtype=np.uint8))


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


@pytest.mark.parametrize(
    ("mode", "options", "directly"),
    [
        ("RGB", {"quality": 90}, True),
        ("RGB", {"subsampling": 0, "progressive": True}, True),
        ("RGB", {"keep_rgb": True}, True),
        ("L", {}, True),
        ("RGB", {"exif": _exif(1)}, True),
        ("RGB", {"exif": _exif(6)}, False),
        ("RGB", {"exif": _exif(3)}, False),
        ("CMYK", {}, False),
    ],
)
def test_the_pixels_are_those_of_read_image(
    tmp_path: Path, mode: str, options: dict[str, Any], directly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jpg"
    PICTURE.convert(mode).save(path, **options)
    size = image_size(path)
    expected = read_rgb(path, size)
    slowly = []
    monkeypatch.setattr(jpeg, "read_rgb", lambda *args: slowly.append(1) or read_rgb(*args))
    assert (read_pixels(str(path), size) == expected).all()
    assert (read_pixels(str(path)) == expected).all()
    room = np.zeros((*size, 3), dtype=np.uint8)
    assert read_pixels(str(path), size, room) is room
    assert (room == expected).all()
    assert bool(slowly) is not directly


def test_annotations_made_on_the_stored_pixels_keep_them(tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "a.jpg", exif=_exif(6))
    pixels = read_pixels(str(tmp_path / "a.jpg"), (19, 30))
    assert (pixels == read_rgb(tmp_path / "a.jpg", (19, 30))).all()


@pytest.mark.parametrize(("folder", "step"), [("bccd", 40), ("drone-ir", 60)])
def test_real_pictures(folder: str, step: int) -> None:
    paths = sorted(path for path in shared_data(folder).rglob("*") if path.suffix in (".jpg", ".png"))[::step]
    assert paths
    for path in paths:
        assert (read_pixels(str(path), image_size(path)) == read_rgb(path)).all(), path


def test_a_png_that_is_called_jpg(tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "a.png")
    path = (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert (read_pixels(str(path), (19, 30)) == np.asarray(PICTURE)).all()


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    stream = BytesIO()
    PICTURE.save(stream, "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(stream.getvalue()[: stream.tell() // 2])
    with pytest.raises(SightlineError, match=r"a\.jpg: cannot be read as an image"):
        read_pixels(str(path), (19, 30))
    path.write_bytes(stream.getvalue())
    with pytest.raises(SightlineError, match=r"a\.jpg: is 19 x 30 pixels, but the annotations say 30 x 19"):
        read_pixels(str(path), (30, 19))
    with pytest.raises(SightlineError, match=r"b\.jpg: image not found"):
        read_pixels(str(tmp_path / "b.jpg"), (19, 30))


def test_other_formats_go_into_the_same_room(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", size=(4, 5))
    room = np.zeros((4, 5, 3), dtype=np.uint8)
    assert read_pixels(str(path), (4, 5), room) is room
    assert (room == read_rgb(path)).all()


def test_without_simplejpeg_the_pixels_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PICTURE.save(tmp_path / "a.jpg")
    quick = read_pixels(str(tmp_path / "a.jpg"))
    monkeypatch.setattr(jpeg, "simplejpeg", None)
    assert (read_pixels(str(tmp_path / "a.jpg")) == quick).all()
