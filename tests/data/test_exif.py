import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from sightline.data.exif import find_gps, without_metadata
from sightline.data.images import read_rgb
from sightline.errors import SightlineError

XMP = b"""<x:xmpmeta><rdf:Description drone-dji:GpsLatitude="+12.5" drone-dji:GpsLongitude="-70.25"/>"""


def _exif(orientation: int = 1, gps: bool = True) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "SECRET"
    if gps:
        exif[ExifTags.IFD.GPSInfo] = {
            ExifTags.GPS.GPSLatitudeRef: "S",
            ExifTags.GPS.GPSLatitude: (33.0, 30.0, 36.0),
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: (151.0, 12.0, 0.0),
        }
    loaded = Image.Exif()  # what TIFFs are written from has been read before
    loaded.load(exif.tobytes())
    return loaded


def _picture(size: tuple[int, int] = (31, 17)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_positions_are_found_in_every_format(tmp_path: Path, suffix: str) -> None:
    _picture().save(tmp_path / f"there.{suffix}", exif=_exif())
    _picture().save(tmp_path / f"not.{suffix}", exif=_exif(gps=False))
    _picture().save(tmp_path / f"bare.{suffix}")
    paths = [tmp_path / f"{name}.{suffix}" for name in ("bare", "there", "not")]
    [row] = find_gps(paths).rows()
    assert row == (str(paths[1]), pytest.approx(-33.51), pytest.approx(151.2), "EXIF")


def test_positions_in_xmp(tmp_path: Path) -> None:
    _picture().save(tmp_path / "drone.jpg", xmp=XMP)
    assert find_gps([tmp_path / "drone.jpg"]).rows() == [(str(tmp_path / "drone.jpg"), 12.5, -70.25, "XMP")]
    text = XMP.replace(b'drone-dji:GpsLatitude="+12.5"', b'exif:GPSLatitude="12,30.0S"')
    _picture().save(tmp_path / "text.jpg", xmp=text)
    assert find_gps([tmp_path / "text.jpg"])["latitude"].to_list() == [-12.5]


def test_a_position_that_cannot_be_read_is_still_one(tmp_path: Path) -> None:
    exif = _exif()
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude: (999.0, 0.0, 0.0)}
    _picture().save(tmp_path / "odd.jpg", exif=exif)
    assert find_gps([tmp_path / "odd.jpg"]).rows() == [(str(tmp_path / "odd.jpg"), None, None, "EXIF")]


def test_what_is_no_image_has_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe1\xff")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    assert find_gps([tmp_path / "a.jpg", tmp_path / "a.png", tmp_path / "missing.jpg"]).is_empty()
    assert find_gps([]).columns == ["file_path", "latitude", "longitude", "source"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_metadata_is_gone_and_pixels_are_not_touched(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"full.{suffix}"
    options: dict = {"exif": _exif(orientation), "xmp": XMP + b"SECRET", "icc_profile": b"colours" * 9}
    if suffix == "png":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "SECRET")
        text.add_itxt("XML:com.adobe.xmp", XMP.decode() + "SECRET")
        options = {"exif": _exif(orientation), "pnginfo": text, "icc_profile": b"colours" * 9}
    if suffix == "jpg":
        options |= {"comment": b"SECRET", "progressive": True}
    _picture().save(path, **options)
    if suffix == "jpg":
        path.write_bytes(path.read_bytes() + b"SECRET preview behind the image")
    assert b"SECRET" in path.read_bytes()
    content, new_suffix = without_metadata(path)
    new = tmp_path / f"clean{new_suffix}"
    new.write_bytes(content)
    assert b"SECRET" not in content
    assert b"GpsLatitude" not in content
    assert find_gps([new]).is_empty()
    assert len(find_gps([path])) == 1
    assert (read_rgb(new) == read_rgb(path)).all()
    with Image.open(new) as image, Image.open(path) as before:
        assert image.info["icc_profile"] == before.info["icc_profile"]
        assert dict(image.getexif()) == ({} if orientation == 1 else {ExifTags.Base.Orientation: orientation})
        assert (np.asarray(image) == np.asarray(before)).all()
    assert without_metadata(new)[0] == content


def test_a_tiff_that_exif_turns_is_turned(tmp_path: Path) -> None:
    _picture().save(tmp_path / "a.tif", exif=_exif(6))
    content, _ = without_metadata(tmp_path / "a.tif")
    turned = np.rot90(np.asarray(_picture()), -1)
    assert (np.asarray(Image.open(io.BytesIO(content))) == turned).all()


def test_other_formats_become_png(tmp_path: Path) -> None:
    _picture().save(tmp_path / "a.tif", exif=_exif())
    content, suffix = without_metadata(tmp_path / "a.tif")
    assert suffix == ".png"
    assert (np.asarray(Image.open(io.BytesIO(content))) == np.asarray(_picture())).all()
    (tmp_path / "b.tif").write_bytes(b"no image")
    with pytest.raises(SightlineError, match=r"b\.tif: cannot be read as an image"):
        without_metadata(tmp_path / "b.tif")


@given(st.integers(0, 2000), st.sampled_from(["jpg", "png", "webp"]))
def test_damaged_files_are_mended_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("cut") / f"a.{suffix}"
    _picture().save(path, exif=_exif())
    path.write_bytes(path.read_bytes()[:cut])
    with contextlib.suppress(SightlineError):
        assert b"SECRET" not in without_metadata(path)[0]
