import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sightline.data import Dataset
from tests.cli.conftest import Person
from tests.deploy.files.pictures import write_film, write_squares
from tests.deploy.handmade import classifier, detector, segmenter, without_card


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    detector(tmp_path / "finder.onnx")
    write_squares(tmp_path / "photos", 5)
    return Person(tmp_path)


def test_pictures_to_a_table_and_drawn(ada: Person) -> None:
    done = ada.ok("predict", "finder.onnx", "photos", "-o", "out.csv", "--draw", "drawn")
    assert done.out.startswith("out.csv: 5 files, 5 images, ")
    with (ada.home / "out.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 5
    assert len(list((ada.home / "drawn").glob("*.jpg"))) == 5


def test_settings_stand_among_the_inputs(ada: Person) -> None:
    write_film(ada.home / "film.mp4", 4)
    words = ["film.mp4", "tracker.overlap=0", "tracker.unsure_overlap=0", "-o", "out.jsonl", "--track"]
    assert ada.ok("predict", "finder.onnx", *words, "--json").json["frames"] == 4
    lines = [json.loads(line) for line in (ada.home / "out.jsonl").read_text().splitlines()]
    assert all("track" in one for line in lines for one in line["objects"])
    result = ada("predict", "finder.onnx", "photos", "trakcer.patience=3")
    assert (result.code, "did you mean 'tracker'" in result.err) == (1, True)


def test_a_name_with_an_equals_sign_is_a_file_where_there_is_one(ada: Person) -> None:
    (ada.home / "photos" / "000.png").rename(ada.home / "a=1.png")
    assert ada.ok("predict", "finder.onnx", "a=1.png", "--json").json["files"] == 1


def test_a_bad_file_is_told_in_the_end(ada: Person) -> None:
    (ada.home / "photos" / "002.png").write_bytes(b"no picture")
    result = ada("predict", "finder.onnx", "photos", "-o", "out.jsonl")
    assert result.code == 1
    assert "warning: photos/002.png: cannot be read as an image" in result.err
    assert "error: 1 of 5 files could not be read, or not whole; all others are done." in result.err
    assert len((ada.home / "out.jsonl").read_text().splitlines()) == 4


def test_a_folder_becomes_a_dataset(ada: Person) -> None:
    ada.ok("predict", "finder.onnx", "photos", "-o", "found")
    assert [len(sample.bboxes or []) for sample in Dataset.from_path(ada.home / "found")] == [1] * 5
    result = ada("predict", "finder.onnx", "photos", "-o", "found")
    assert (result.code, "found: exists already" in result.err) == (1, True)
    ada.ok("predict", "finder.onnx", "photos", "-o", "found", "--overwrite")


def test_mistakes_are_one_sentence_each(ada: Person) -> None:
    without_card(ada.home / "foreign.onnx")
    (ada.home / "cut.onnx").write_bytes((ada.home / "finder.onnx").read_bytes()[:200])
    classifier(ada.home / "bands.onnx", preprocessing={"bands": [1, 2, 3, 4], "scale": 10000})
    cases = {
        (
            "foreign.onnx",
            "photos",
        ): "foreign.onnx: has no model card, so its classes and preprocessing",
        ("cut.onnx", "photos"): "cut.onnx: cannot be read as a model; is the file whole?",
        ("gone.onnx", "photos"): "gone.onnx: there is no such file.",
        ("finder.onnx", "gone"): "gone: there is no such file or folder.",
        ("finder.onnx", "foreign.onnx"): "foreign.onnx: is neither an image nor a video, by its ending",
        ("finder.onnx",): "finder.onnx: has no dataset of its own; give images, videos, a dataset",
        ("finder.onnx", "--track"): "--track: needs images, videos or rasters as INPUT",
        ("finder.onnx", "photos", "--track"): "objects are followed through videos, and there is none",
        (
            "finder.onnx",
            "photos",
            "-o",
            "a.tif",
        ): "maps are made by segmentation, and this model",
        ("finder.onnx", "photos", "--scores", "a.tif"): "--scores: is for maps (-o FILE.tif)",
        ("finder.onnx", "photos", "-o", "-"): "-o -: is for the run's own dataset; give a file or a folder.",
        ("finder.onnx", "photos", "--device", "tpu"): "device 'tpu': is none of auto, cpu, cuda",
        ("bands.onnx", "photos"): "band 4 was asked for; it has bands 1 to 3.",
        ("no-run", "photos"): "no-run",
    }
    for words, sentence in cases.items():
        result = ada("predict", *words)
        assert (result.code, sentence in result.err) == (1, True), (words, result.err)
        assert result.err.count("\n") == 1, result.err
    assert not (ada.home / "predictions.jsonl").exists()
    assert not (ada.home / "a.tif").exists()


SLOWLY = """
import sys, time
import sightline.deploy.files.finishing as finishing
said = finishing.result_of
def slowly(*arguments):
    time.sleep(0.1)
    return said(*arguments)
finishing.result_of = slowly
from sightline.cli.main import main
main(sys.argv[1:])
"""


KILLED_WHILE_DRAWING = """
import os, signal, sys
import sightline.deploy.files.drawing as drawing
write = drawing.write_image
def cut_off(path, pixels):
    if "042" in path.name:
        path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, pixels)
drawing.write_image = cut_off
from sightline.cli.main import main
main(sys.argv[1:])
"""


def test_killed_while_it_draws_a_picture(ada: Person) -> None:
    write_squares(ada.home / "half", 60)
    words = ["predict", "finder.onnx", "half", "-o", "half.jsonl", "--draw", "half-drawn"]
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_DRAWING, *words], cwd=ada.home)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((ada.home / "half-drawn").glob(".*"))) == 1
    ada.ok(*words)
    assert {path.name for path in (ada.home / "half-drawn").iterdir()} == {f"{n:03}.jpg" for n in range(60)}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_work_that_is_killed_goes_on(ada: Person, number: signal.Signals) -> None:
    write_squares(ada.home / "many", 60)
    words = ["predict", "finder.onnx", "many", "-o", "out.jsonl", "--draw", "drawn"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *words], cwd=ada.home, stderr=subprocess.DEVNULL, env=os.environ
    )
    journal = ada.home / ".out.jsonl.part"
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b'"done"') < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(30) == {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert not (ada.home / "out.jsonl").exists()
    done = ada.ok(*words)
    assert "were done before" in done.out
    lines = (ada.home / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == [f"many/{n:03}.png" for n in range(60)]
    assert len(list((ada.home / "drawn").iterdir())) == 60
    assert not journal.exists()


def test_a_full_disk_is_one_sentence(ada: Person) -> None:
    from tests.needs import needs

    folder = ada.home / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    mounted = os.getuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    needs("the right to mount a tmpfs", mounted)
    try:
        write_squares(ada.home / "many", 120)
        result = ada("predict", "finder.onnx", "many", "-o", "disk/out.jsonl")
        assert (result.code, result.err) == (
            1,
            "error: disk/out.jsonl: the disk is full; free some space and start again.\n",
        )
        assert not (folder / "out.jsonl").exists()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_segmenter_makes_maps_in_place(ada: Person) -> None:
    rasterio = pytest.importorskip("rasterio")
    import numpy as np
    from rasterio.transform import from_origin

    segmenter(ada.home / "land.onnx")
    profile = {"driver": "GTiff", "height": 40, "width": 70, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32614", "transform": from_origin(500000, 5000000, 0.6, 0.6)}
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 70), dtype=np.uint8)
    for name in ("one.tif", "two.tif"):
        with rasterio.open(ada.home / name, "w", **profile, **place) as target:
            target.write(pixels)
    done = ada.ok(
        "predict", "land.onnx", "one.tif", "tiles.tile=32", "-o", "map.tif", "--scores", "scores.tif"
    )
    assert "70 x 40 pixels" in done.out
    with rasterio.open(ada.home / "map.tif") as made:
        assert (made.crs.to_epsg(), made.transform) == (32614, place["transform"])
        assert (made.read(1) == pixels.argmax(0)).all()
    with rasterio.open(ada.home / "scores.tif") as made:
        assert made.count == 3
    done = ada.ok(
        "predict", "land.onnx", "one.tif", "two.tif", "-o", "maps", "--maps", "geojson", "min_area=1"
    )
    assert {path.name for path in (ada.home / "maps").iterdir()} == {"one.geojson", "two.geojson"}
    (ada.home / "bad.tif").write_bytes(b"no raster")
    result = ada("predict", "land.onnx", "one.tif", "bad.tif", "-o", "maps", "--maps", "tif")
    assert (result.code, (ada.home / "maps" / "one.tif").exists()) == (1, True)
    assert "error: 1 of 2 files could not be read" in result.err
    result = ada("predict", "land.onnx", "one.tif", "-o", "x.tif", "tils.tile=32")
    assert (result.code, "did you mean 'tiles'" in result.err) == (1, True)
