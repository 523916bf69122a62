import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from sightline.data import image_sizes as subject
from sightline.data.image_sizes import image_sizes
from sightline.data.images import image_size
from sightline.errors import SightlineError

fast = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"/></x:xmpmeta>'


def picture(mode: str, width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 60).convert(mode)


def exif(orientation: int) -> Image.Exif:
    result = Image.Exif()
    result[0x0112] = orientation
    return result


sides = st.integers(1, 70)
turns = st.none() | st.integers(1, 8)


@fast
@given(
    suffix=st.sampled_from([".jpg", ".png", ".webp", ".gif", ".bmp", ".tif", ".ppm"]),
    mode=st.sampled_from(["RGB", "L", "CMYK", "P", "1", "RGBA", "I;16"]),
    width=sides,
    height=sides,
    turn=turns,
    progressive=st.booleans(),
    profile=st.sampled_from([0, 500, 5000, 100_000]),
    comment=st.sampled_from([None, "Software", "Raw profile type exif?", "note"]),
)
def test_sizes_are_those_of_image_size(
    tmp_path, suffix, mode, width, height, turn, progressive, profile, comment
):
    path = tmp_path / f"picture{suffix}"
    options = {} if turn is None else {"exif": exif(turn)}
    if profile and suffix in (".jpg", ".png"):
        options["icc_profile"] = b"p" * profile
    if suffix == ".jpg":
        options |= {"progressive": progressive, "comment": comment or ""}
    if suffix == ".png" and comment:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text(comment, "some text", zip=progressive)
    try:
        picture(mode, width, height).save(path, **options)
    except (OSError, KeyError, ValueError):
        picture("RGB", width, height).save(path, **options)  # not every mode fits every format
    assert image_sizes([str(path)]).tolist() == [list(image_size(path))]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_turn_that_stands_in_xmp_data_is_obeyed(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    if suffix == ".jpg":
        picture("RGB", 20, 10).save(path, xmp=XMP.encode())
    else:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP)
        picture("RGB", 20, 10).save(path, pnginfo=text)
    assert image_sizes([str(path)]).tolist() == [[20, 10]]


def test_exif_data_behind_the_pixels_of_a_png_is_found(tmp_path):
    path = tmp_path / "picture.png"
    picture("RGB", 20, 10).save(path)
    data = b"eXIf" + exif(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    content = path.read_bytes()
    path.write_bytes(content[:-12] + chunk + content[-12:])
    assert image_sizes([str(path)]).tolist() == [list(image_size(path))] == [[20, 10]]


@fast
@given(cut=st.integers(0, 2000), flip=st.integers(0, 2000), suffix=st.sampled_from([".jpg", ".png"]))
def test_a_damaged_file_has_its_size_or_is_refused(tmp_path, cut, flip, suffix):
    path = tmp_path / f"damaged{suffix}"
    picture("RGB", 31, 17).save(path)
    content = bytearray(path.read_bytes())
    content[flip % len(content)] ^= 0x55
    path.write_bytes(content[: cut % len(content)])
    try:
        expected = [list(image_size(path))]
    except SightlineError:
        # Pillow reads the pixels of a PNG to find its size; we do not.
        with contextlib.suppress(SightlineError):
            assert image_sizes([str(path)]).tolist() == [[17, 31]]
    else:
        assert image_sizes([str(path)]).tolist() == expected


def test_usual_files_are_not_opened_with_pillow(tmp_path, monkeypatch):
    paths = [tmp_path / "a.jpg", tmp_path / "b.png"]
    for path in paths:
        picture("RGB", 300, 200).save(path)
    monkeypatch.setattr(subject, "image_size", None)
    assert image_sizes([str(path) for path in paths]).tolist() == [[200, 300], [200, 300]]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SightlineError, match=r"gone\.jpg: image not found"):
        image_sizes([str(tmp_path / "gone.jpg")])


def test_no_images_have_no_sizes():
    sizes = image_sizes([])
    assert sizes.shape == (0, 2)
    assert sizes.dtype == np.int64


def test_sizes_come_in_the_order_of_the_paths(tmp_path: Path):
    paths = [tmp_path / f"{n}.png" for n in range(200)]
    for n, path in enumerate(paths):
        picture("L", n + 1, 2).save(path)
    assert image_sizes([str(path) for path in paths])[:, 1].tolist() == list(range(1, 201))
