import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sightline.data import Dataset
from sightline.data.predictions import Detections
from sightline.data.video import Video
from sightline.deploy import Predictor, open_model
from sightline.deploy.files.run import Summary, predict_files
from sightline.deploy.files.settings import FileSettings
from sightline.deploy.files.tracking import TrackerConfig
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset
from tests.deploy.files.pictures import SIDE, write_film, write_squares
from tests.deploy.handmade import classifier, detector, segmenter


@pytest.fixture
def finder(tmp_path: Path) -> Predictor:
    detector(tmp_path / "finder.onnx")
    return open_model(tmp_path / "finder.onnx", batch_size=3)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_pictures_to_lines(tmp_path: Path, finder: Predictor) -> None:
    paths = write_squares(tmp_path / "in", 7)
    seen: list[int] = []
    summary = predict_files(
        finder, [tmp_path / "in"], tmp_path / "out.jsonl", on_progress=lambda state: seen.append(state.done)
    )
    assert (summary.files, summary.done, summary.images, summary.problems) == (7, 7, 7, [])
    assert seen[-1] == 7
    lines = _lines(tmp_path / "out.jsonl")
    assert [line["file"] for line in lines] == list(map(str, paths))
    assert lines[2]["objects"][0]["box"] == [2 * SIDE, 16, 3 * SIDE, 16 + SIDE]
    expected = finder.predict_files(paths)
    for line, one in zip(lines, expected, strict=True):
        assert isinstance(one, Detections)
        assert [found["score"] for found in line["objects"]] == one.scores.tolist()
    assert not list(tmp_path.glob(".*"))


def test_a_bad_file_stops_no_other(tmp_path: Path, finder: Predictor) -> None:
    write_squares(tmp_path / "in", 5)
    (tmp_path / "in" / "001.png").write_bytes(b"no picture")
    (tmp_path / "in" / "003.png").write_bytes((tmp_path / "in" / "002.png").read_bytes()[:60])
    summary = predict_files(finder, [tmp_path / "in"], tmp_path / "out.csv")
    assert [text.partition(":")[0][-7:] for text in summary.problems] == ["001.png", "003.png"]
    with (tmp_path / "out.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["file"][-7:] for row in rows] == ["000.png", "002.png", "004.png"]
    assert list(rows[0]) == ["file", "class", "score", "left", "top", "right", "bottom"]


def test_where_nothing_can_be_read_nothing_is_written(tmp_path: Path, finder: Predictor) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(SightlineError, match=r"nothing could be read; the first of 1: .*a\.png: cannot be"):
        predict_files(finder, [tmp_path / "a.png"], tmp_path / "out.jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "finder.onnx"}


def _interrupt_once_something_is_kept(target: Path) -> Callable[[Summary], None]:
    journal = target.with_name(f".{target.name}.part")

    def on_progress(_: Summary) -> None:
        deadline = time.monotonic() + 20
        while b'"done"' not in journal.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise KeyboardInterrupt

    return on_progress


def test_work_that_was_cut_off_goes_on(tmp_path: Path, finder: Predictor) -> None:
    write_squares(tmp_path / "in", 8)
    target = tmp_path / "out.jsonl"
    stop = _interrupt_once_something_is_kept(target)
    with pytest.raises(KeyboardInterrupt):
        predict_files(finder, [tmp_path / "in"], target, model_key="m", on_progress=stop)
    assert not target.exists()
    summary = predict_files(finder, [tmp_path / "in"], target, model_key="m")
    assert summary.resumed >= 1
    assert summary.resumed + summary.images == 8
    again = predict_files(finder, [tmp_path / "in"], tmp_path / "whole.jsonl", model_key="m")
    assert again.images == 8
    assert target.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_another_model_begins_anew(tmp_path: Path, finder: Predictor) -> None:
    write_squares(tmp_path / "in", 8)
    target = tmp_path / "out.jsonl"
    stop = _interrupt_once_something_is_kept(target)
    with pytest.raises(KeyboardInterrupt):
        predict_files(finder, [tmp_path / "in"], target, model_key="m", on_progress=stop)
    assert predict_files(finder, [tmp_path / "in"], target, model_key="n").resumed == 0


def test_a_film_is_followed_and_drawn(tmp_path: Path, finder: Predictor) -> None:
    film = write_film(tmp_path / "film.mp4", 8)
    config = TrackerConfig(overlap=0.0)  # the square moves by its own width
    settings = FileSettings(draw=tmp_path / "drawn", tracker=config)
    summary = predict_files(finder, [film], tmp_path / "out.parquet", settings=settings)
    assert (summary.files, summary.images, summary.frames) == (1, 8, 8)
    table = pl.read_parquet(tmp_path / "out.parquet")
    assert table["frame"].to_list() == list(range(8))
    assert table["seconds"].to_list() == pytest.approx([0.1 * number for number in range(8)])
    video = Video(tmp_path / "drawn" / "film.mp4")
    assert len(video) == 8
    assert (video.frame(3)[..., 0] != video.frame(3)[..., 2]).any(), "colours are drawn into grey frames"
    video.close()


def test_tracks_are_in_tables_and_datasets(tmp_path: Path, finder: Predictor) -> None:
    film = write_film(tmp_path / "film.mp4", 4)
    settings = FileSettings(tracker=TrackerConfig())
    predict_files(finder, [film], tmp_path / "out.csv", settings=settings)
    assert pl.read_csv(tmp_path / "out.csv")["track"].to_list() == [1, 2, 3, 4]
    predict_files(finder, [film], tmp_path / "frames", settings=settings)
    dataset = Dataset.from_path(tmp_path / "frames")
    assert [[box.object_id for box in sample.bboxes or []] for sample in dataset] == [
        ["1"],
        ["2"],
        ["3"],
        ["4"],
    ]


def test_a_truncated_film_gives_what_there_is_of_it(tmp_path: Path, finder: Predictor) -> None:
    film = write_film(tmp_path / "film.mkv", 150)
    film.write_bytes(film.read_bytes()[: int(film.stat().st_size * 0.6)])
    write_squares(tmp_path / "in", 1)
    summary = predict_files(finder, [film, tmp_path / "in"], tmp_path / "out.jsonl")
    assert 1 < summary.frames < 150
    assert len(summary.problems) == 1
    assert "film.mkv" in summary.problems[0]
    assert _lines(tmp_path / "out.jsonl")[-1]["file"].endswith("000.png")


def test_a_dataset_gets_the_predictions_beside_the_truth(tmp_path: Path) -> None:
    counts = {("train", "red"): 3, ("test", "blue"): 2}
    known = classification_dataset(tmp_path / "pictures", counts).write(tmp_path / "known")
    classifier(tmp_path / "a.onnx")
    predictor = open_model(tmp_path / "a.onnx")
    predict_files(predictor, [tmp_path / "known"], tmp_path / "out")
    found = Dataset.from_path(tmp_path / "out")
    assert [task.name for task in found.info.tasks] == ["image_classification", "predictions"]
    expected = predictor.predict([sample.read_image() for sample in known])
    for sample, one in zip(found, expected, strict=True):
        truth, said = sample.classifications or []
        assert truth.ground_truth
        assert not said.ground_truth
        assert said.class_idx == one.scores.argmax()  # type: ignore[union-attr]
    predict_files(predictor, [tmp_path / "known"], tmp_path / "test", split="test", link=True)
    part = Dataset.from_path(tmp_path / "test")
    assert len(part) == 2
    assert Path(str(part[0].file_path)).is_symlink()


def test_maps_are_kept_in_a_dataset_and_told_in_a_table(tmp_path: Path) -> None:
    paths = write_squares(tmp_path / "in", 2)
    segmenter(tmp_path / "a.onnx")
    predictor = open_model(tmp_path / "a.onnx")
    predict_files(predictor, [tmp_path / "in"], tmp_path / "out")
    expected = predictor.predict_files(paths)
    for sample, one in zip(Dataset.from_path(tmp_path / "out"), expected, strict=True):
        masks = {mask.class_name: mask.to_mask(48, 64) for mask in sample.bitmasks or []}
        for name, mask in masks.items():
            assert (mask == (one.classes == predictor.classes.index(name or ""))).all()  # type: ignore[union-attr]
    predict_files(predictor, [tmp_path / "in"], tmp_path / "out.csv")
    table = pl.read_csv(tmp_path / "out.csv")
    assert table.group_by("file").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1, 1])


def test_what_cannot_be_written_is_told_before_the_work(tmp_path: Path, finder: Predictor) -> None:
    write_squares(tmp_path / "in", 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    (tmp_path / "folder.csv").mkdir()
    cases = {
        "full": "full: exists already; choose another path or overwrite it",
        "out.txt": r"out\.txt: results are \.jsonl, \.csv, \.parquet files, \.tif, .* for a map, or a folder",
        "folder.csv": r"folder\.csv: is a folder",
    }
    for name, sentence in cases.items():
        with pytest.raises(SightlineError, match=sentence):
            predict_files(finder, [tmp_path / "in"], tmp_path / name)
    with pytest.raises(SightlineError, match="is not a dataset folder, so it is not overwritten"):
        predict_files(finder, [tmp_path / "in"], tmp_path / "full", overwrite=True)


def test_following_what_does_not_move_is_refused(tmp_path: Path, finder: Predictor) -> None:
    write_squares(tmp_path / "in", 1)
    settings = FileSettings(tracker=TrackerConfig())
    with pytest.raises(SightlineError, match="objects are followed through videos, and there is none"):
        predict_files(finder, [tmp_path / "in"], tmp_path / "a.csv", settings=settings)
    classifier(tmp_path / "a.onnx")
    predictor = open_model(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match="objects are followed by their boxes, and this model does cla"):
        predict_files(predictor, [tmp_path / "in"], tmp_path / "a.csv", settings=settings)


def test_images_of_several_sizes_keep_their_order(tmp_path: Path) -> None:
    from PIL import Image

    classifier(tmp_path / "a.onnx")
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0)
    for number in range(20):
        size = (5 + int(noise.integers(3)), 7, 3)
        Image.fromarray(noise.integers(0, 256, size, dtype=np.uint8)).save(
            tmp_path / "in" / f"{number:02}.png"
        )
    predict_files(open_model(tmp_path / "a.onnx", batch_size=2), [tmp_path / "in"], tmp_path / "out.jsonl")
    assert [line["file"][-6:-4] for line in _lines(tmp_path / "out.jsonl")] == [f"{n:02}" for n in range(20)]
