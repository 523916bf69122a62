"""A call that is killed, interrupted or fails leaves no half of a result, and can be continued."""

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.deploy.raster import (
    Postprocessing,
    RasterSettings,
    ScoreRaster,
    TileSettings,
    predict_raster,
)
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import CLASSES, local_model, noise, read_raster, write_raster

SETTINGS = RasterSettings(tiles=TileSettings(tile=64, overlap=0.25, multiple=1), batch_size=2)
ROWS = 6  # of tiles, for 300 rows


class Interrupted:
    """A model that raises at its n-th call, and counts the tiles that it saw."""

    def __init__(self, at: int | None, error: Callable[[], BaseException] = KeyboardInterrupt) -> None:
        self.at, self.error = at, error
        self.calls = self.tiles = 0
        self.model = local_model(4)
        self.lock = threading.Lock()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        with self.lock:
            self.calls += 1
            if self.calls == self.at:
                raise self.error()
            self.tiles += len(images)
        return self.model(images)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "in.tif", noise(300, 200))


def outputs(folder: Path) -> list[Any]:
    return [folder / "out.tif", ScoreRaster(path=folder / "scores.tif", dtype="float32")]


def run(
    source: Path, folder: Path, model: Any, key: str | None = "model", parallel: int = 1, **settings: Any
) -> Any:
    chosen = SETTINGS.model_copy(update=settings)
    return predict_raster(
        source, outputs(folder), model, classes=CLASSES, settings=chosen, resume_key=key, parallel=parallel
    )


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("at", [1, 4, 9, 12])
def test_an_interrupted_call_goes_on_with_the_same_result(
    source: Path, tmp_path: Path, at: int, parallel: int
) -> None:
    whole = tmp_path / "whole"
    reference = Interrupted(None)
    run(source, whole, reference)
    again = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        run(source, again, first := Interrupted(at), parallel=parallel)
    assert not list(again.glob("*.tif"))
    result = run(source, again, second := Interrupted(None), parallel=parallel)
    for name in ("out.tif", "scores.tif"):
        np.testing.assert_array_equal(read_raster(again / name), read_raster(whole / name))
    assert {path.name for path in again.iterdir()} == {"out.tif", "scores.tif"}
    per_row = reference.tiles // ROWS
    assert second.tiles == reference.tiles - result.resumed_rows * per_row == result.tiles
    # What was seen and not kept is at most what waits to be blended and written, and one unfinished row.
    beside = parallel if parallel > 1 else 0
    assert first.tiles - result.resumed_rows * per_row <= per_row + (4 + beside) * SETTINGS.batch_size
    assert at <= first.calls <= at + beside


def test_finished_rows_are_kept_when_only_the_filters_change(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "out", Interrupted(12))
    result = run(source, tmp_path / "out", Interrupted(None), postprocessing=Postprocessing(median=3))
    assert result.resumed_rows > 0


@pytest.mark.parametrize("change", ["model", "source", "settings", "no key"])
def test_other_work_is_not_continued(source: Path, tmp_path: Path, change: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "out", Interrupted(12))
    if change == "source":
        write_raster(source, noise(300, 200, seed=5))
    tiles = SETTINGS.tiles.model_copy(update={"margin": 2})
    result = run(
        source,
        tmp_path / "out",
        Interrupted(None),
        key={"model": "other", "no key": None}.get(change, "model"),
        **({"tiles": tiles} if change == "settings" else {}),
    )
    assert result.resumed_rows == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"out.tif", "scores.tif"}


def test_without_a_key_nothing_is_left(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "out", Interrupted(9), key=None)
    assert not list((tmp_path / "out").iterdir())


def test_an_old_result_stays_until_the_new_one_is_complete(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path, Interrupted(None))
    before = (tmp_path / "out.tif").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path, Interrupted(9), key=None)
    assert (tmp_path / "out.tif").read_bytes() == before


def test_an_error_of_the_model_is_its_own(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(source, tmp_path / "out", Interrupted(5, ZeroDivisionError))
    assert not list((tmp_path / "out").glob("*.tif"))


PROCESS = """
    import signal, sys, time
    import numpy as np
    from sightline.deploy.raster import RasterSettings, TileSettings, predict_raster

    # What a shell starts in the background is told to ignore it, and so are its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    source, destination, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])

    def model(images):
        print("tile", flush=True)
        time.sleep(seconds)
        return images

    tiles = TileSettings(tile=64, overlap=0.25, multiple=1)
    settings = RasterSettings(tiles=tiles)
    predict_raster(source, destination, model, classes=("a", "b", "c"), settings=settings, resume_key="m")
"""


def started(source: Path, destination: Path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), source, destination, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_nothing_under_the_name_and_is_continued(
    source: Path, tmp_path: Path, how: signal.Signals
) -> None:
    destination = tmp_path / "out.tif"
    process = started(source, destination, 0.02)
    assert process.stdout is not None
    for _ in range(18):
        assert process.stdout.readline() == "tile\n"
    process.send_signal(how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert not destination.exists()
    process = started(source, destination, 0)
    seen = process.communicate(timeout=60)[0].count("tile")
    assert process.returncode == 0
    assert seen < 24  # of 24
    np.testing.assert_array_equal(read_raster(destination)[0], read_raster(source).argmax(axis=0))
    assert {path.name for path in tmp_path.iterdir()} == {"in.tif", "out.tif"}


def test_two_processes_do_not_write_one_result(source: Path, tmp_path: Path) -> None:
    destination = tmp_path / "out.tif"
    process = started(source, destination, 5)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        with pytest.raises(SightlineError, match=r"out\.tif: another process is writing it"):
            predict_raster(source, destination, Interrupted(None), classes=CLASSES)
    finally:
        process.kill()
        process.communicate()


LIMITED = """
    import resource, signal, sys
    import numpy as np
    from sightline.deploy.raster import ClassRaster, RasterSettings, predict_raster
    from sightline.errors import SightlineError

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)  # what a full disk does to a file
    try:
        out = ClassRaster(path=sys.argv[2])
        predict_raster(sys.argv[1], out, lambda images: images, classes=("a", "b", "c"))
    except SightlineError as error:
        sys.exit(f"refused: {error}")
"""


@pytest.mark.parametrize("part", [0.2, 0.9, 0.999])
def test_a_disk_that_fills_up(tmp_path: Path, part: float) -> None:
    source = write_raster(tmp_path / "in.tif", noise(900, 1100))
    destination = tmp_path / "out.tif"
    predict_raster(source, destination, lambda images: images, classes=CLASSES)
    limit = int(part * destination.stat().st_size)
    destination.unlink()
    command = [sys.executable, "-c", textwrap.dedent(LIMITED), source, destination, str(limit)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith(f"refused: {destination}: ")
    assert "disk" in process.stderr.splitlines()[-1]
    assert {path.name for path in tmp_path.iterdir()} == {"in.tif"}


def test_a_folder_that_may_not_be_written_to(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SightlineError, match=r"file/out\.tif: cannot be written \(not a directory\)"):
        predict_raster(source, tmp_path / "file" / "out.tif", Interrupted(None), classes=CLASSES)


def test_threads_end_with_the_call(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "out", Interrupted(9))
    run(source, tmp_path / "out", Interrupted(None))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sightline")]
