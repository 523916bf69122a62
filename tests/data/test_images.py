from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data.image_sizes import image_sizes
from sightline.data.images import image_size, read_bands, read_rgb, read_valid
from sightline.errors import SightlineError
from tests.data.factory import write_picture


def test_modes_become_eight_bit_rgb(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    for mode in ("L", "RGB", "RGBA", "P", "LA", "1", "CMYK"):
        suffix = ".tif" if mode == "CMYK" else ".png"
        path = tmp_path / f"{mode}{suffix}"
        Image.fromarray(grey).convert(mode).save(path)
        pixels = read_rgb(path)
        assert (pixels.shape, pixels.dtype) == ((3, 4, 3), np.uint8), mode
        if mode in ("L", "RGB", "RGBA", "P", "LA"):
            assert (pixels[..., 1] == grey).all(), mode


def test_sixteen_bits_are_scaled_by_their_range_not_their_content(tmp_path: Path) -> None:
    values = np.array([[0, 257, 25700, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 100, 255]


def test_floats_are_clipped(tmp_path: Path) -> None:
    values = np.array([[-5.0, 0.6, 254.6, 1e9, np.nan]], dtype=np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_rgb(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 1, 255, 255, 0]


def _turned(path: Path) -> np.ndarray:
    pixels = np.zeros((4, 6, 3), dtype=np.uint8)
    pixels[:, :3] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate clockwise to see it upright
    Image.fromarray(pixels).save(path, exif=exif)
    return pixels


def test_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    stored = _turned(tmp_path / "a.png")
    assert image_size(tmp_path / "a.png") == (6, 4)
    assert (read_rgb(tmp_path / "a.png") == np.rot90(stored, -1)).all()
    assert (read_rgb(tmp_path / "a.png", (6, 4)) == np.rot90(stored, -1)).all()


def test_annotations_made_on_the_stored_pixels_get_those(tmp_path: Path) -> None:
    stored = _turned(tmp_path / "a.png")
    assert (read_rgb(tmp_path / "a.png", (4, 6)) == stored).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_stands_as_a_png_does(tmp_path: Path, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    paths = [tmp_path / "a.png", tmp_path / "a.tif"]
    for path in paths:
        Image.fromarray(pixels).save(path, exif=exif)
    png, tiff = paths
    seen = read_rgb(png)
    assert image_size(tiff) == tuple(image_sizes([str(tiff)])[0]) == seen.shape[:2]
    assert (read_rgb(tiff) == seen).all()
    for size in (seen.shape[:2], (4, 6), (6, 4)):
        assert (read_rgb(tiff, size) == read_rgb(png, size)).all()
        assert (read_bands(tiff, size=size) == read_bands(png, size=size)).all()
        assert read_valid(tiff, size).shape == read_valid(png, size).shape


def test_errors_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    whole = write_picture(tmp_path / "half.png", size=(50, 50)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    for name, sentence in (
        ("none.png", "image not found"),
        ("text.png", "cannot be read as an image"),
        ("half.png", "cannot be read as an image"),
    ):
        with pytest.raises(SightlineError, match=sentence) as caught:
            read_rgb(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(SightlineError, match=r"text\.png: cannot be read"):
        image_size(tmp_path / "text.png")
    with pytest.raises(SightlineError, match=r"none\.png: image not found"):
        image_size(tmp_path / "none.png")
