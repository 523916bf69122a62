import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sightline.deploy.raster import RasterSettings, TileSettings, predict_raster
from sightline.deploy.raster.sources import locate
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import CLASSES, PLACE, identity, noise, rasterio, read_raster, write_raster
from tests.needs import needs

TILES = TileSettings(tile=64, overlap=0.25, multiple=1)


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves parts of files, and remembers what was asked for."""

    requests: list[str] = []

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path))
        self.requests.append(f"{self.path} {self.headers.get('Range')}")
        if not content.is_file():
            self.send_error(404)
            return
        data = content.read_bytes()
        wanted = self.headers.get("Range")
        first, last = 0, len(data) - 1
        if wanted:
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[first : last + 1])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    Ranges.requests.clear()
    handler = functools.partial(Ranges, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_raster_behind_http_is_read_in_parts(tmp_path: Path, server: str) -> None:
    pixels = noise(300, 400)
    write_raster(tmp_path / "far.tif", pixels, tiled=True, blockxsize=128, blockysize=128)
    predict_raster(f"{server}/far.tif", tmp_path / "out.tif", identity, classes=CLASSES)
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], pixels.argmax(axis=0))
    assert any("bytes=" in request for request in Ranges.requests)
    assert all(request.startswith("/far.tif ") for request in Ranges.requests)  # nothing beside it


def test_a_raster_that_is_not_behind_http(tmp_path: Path, server: str) -> None:
    with pytest.raises(SightlineError, match=r"missing\.tif: cannot be read as a raster \(.*404"):
        predict_raster(f"{server}/missing.tif", tmp_path / "out.tif", identity, classes=CLASSES)


def test_a_raster_in_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = pytest.importorskip("moto.server", reason="needs moto, which is missing on this machine")
    import boto3

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    try:
        host, port = running.get_host_and_port()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_S3_ENDPOINT": f"{host}:{port}",
            "AWS_HTTPS": "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        pixels = noise(100, 120)
        content = write_raster(tmp_path / "far.tif", pixels).read_bytes()
        store = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        store.create_bucket(Bucket="images")
        store.put_object(Bucket="images", Key="a/far.tif", Body=content)
        predict_raster("s3://images/a/far.tif", tmp_path / "out.tif", identity, classes=CLASSES)
        np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], pixels.argmax(axis=0))
    finally:
        running.stop()


def test_names_of_sources(tmp_path: Path) -> None:
    assert locate("https://host/a.tif").gdal_name == "/vsicurl/https://host/a.tif"
    assert locate(Path("https://host/a.tif")).name == "https://host/a.tif"
    assert locate("s3://bucket/a.tif").gdal_name == "/vsis3/bucket/a.tif"
    assert locate(Path("gs://bucket/a.tif")).gdal_name == "/vsigs/bucket/a.tif"
    with pytest.raises(SightlineError, match=r"nowhere\.tif: raster not found"):
        locate(tmp_path / "nowhere.tif")
    with pytest.raises(SightlineError, match="is a folder"):
        locate(tmp_path)
    with pytest.raises(SightlineError, match="no raster was given"):
        locate([])


def cut(folder: Path, pixels: np.ndarray, **profile: object) -> list[Path]:
    """Four parts of an image as files of their own; they overlap by ten pixels."""
    parts = []
    for top, left in ((0, 0), (0, 90), (70, 0), (70, 90)):
        part = pixels[:, top : top + 80, left : left + 100]
        place = PLACE @ rasterio.Affine.translation(left, top)
        parts.append(write_raster(folder / f"{top}-{left}.tif", part, transform=place, **profile))
    return parts


def test_several_files_are_one_mosaic(tmp_path: Path) -> None:
    pixels = noise(150, 190)
    parts = cut(tmp_path, pixels)
    predict_raster(
        parts, tmp_path / "out.tif", identity, classes=CLASSES, settings=RasterSettings(tiles=TILES)
    )
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.transform == PLACE
        np.testing.assert_array_equal(raster.read(1), pixels.argmax(axis=0))


@pytest.mark.parametrize("nodata", [None, 0])
def test_gaps_in_a_mosaic_are_no_data(tmp_path: Path, nodata: int | None) -> None:
    pixels = noise(150, 190)
    parts = cut(tmp_path, pixels, nodata=nodata)[1:]  # the upper left is missing
    predict_raster(parts, tmp_path / "out.tif", identity, classes=CLASSES)
    expected = pixels.argmax(axis=0)
    expected[:70, :90] = 255
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], expected)


def test_masks_hold_in_a_mosaic(tmp_path: Path) -> None:
    pixels = noise(40, 60)
    mask = np.random.default_rng(0).random((40, 60)) < 0.5
    first = write_raster(tmp_path / "first.tif", pixels, mask=mask)
    second = write_raster(tmp_path / "second.tif", pixels, mask=~mask)  # fills the gaps of the first
    predict_raster([first, second], tmp_path / "out.tif", identity, classes=CLASSES)
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], pixels.argmax(axis=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crs": "EPSG:32633"}, "coordinate system is another"),
        ({"nodata": 3}, "nodata value is another"),
        ({"transform": PLACE @ rasterio.Affine.scale(2)}, "resolution is another"),
        ({"transform": PLACE @ rasterio.Affine.translation(0.5, 0)}, r"lie 0\.50, 0\.00 beside"),
        ({"transform": None, "crs": None}, "no place on Earth"),
    ],
)
def test_files_of_different_grids_are_no_mosaic(tmp_path: Path, change: dict, message: str) -> None:
    first = write_raster(tmp_path / "first.tif", noise(20, 20))
    second = write_raster(tmp_path / "second.tif", noise(20, 20), **change)
    with pytest.raises(SightlineError, match=rf"second\.tif: .*{message}"):
        locate([first, second])


def test_a_virtual_raster_is_a_raster(tmp_path: Path) -> None:
    pixels = noise(150, 190)
    text = locate(cut(tmp_path, pixels)).gdal_name
    (tmp_path / "mosaic.vrt").write_text(text)
    predict_raster(tmp_path / "mosaic.vrt", tmp_path / "out.tif", identity, classes=CLASSES)
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], pixels.argmax(axis=0))


def test_other_formats(tmp_path: Path) -> None:
    needs("GDAL's PNG driver", "PNG" in rasterio.drivers.raster_driver_extensions().values())
    from PIL import Image

    pixels = noise(40, 50)
    Image.fromarray(np.moveaxis(pixels, 0, 2)).save(tmp_path / "picture.png")
    predict_raster(tmp_path / "picture.png", tmp_path / "out.tif", identity, classes=CLASSES)
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], pixels.argmax(axis=0))
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.crs is None
        assert raster.transform.is_identity
