import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.errors import SightlineError
from sightline.runs import RunLogger
from sightline.runs.media_files import safe_name

GREY = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)
RGB = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[RunLogger]:
    with RunLogger(folder=tmp_path) as logger:
        yield logger


def listed(logger: RunLogger) -> list[dict[str, Any]]:
    logger.flush()
    lines = (logger.folder / "media.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def pixels(logger: RunLogger, line: dict[str, Any]) -> np.ndarray:
    return np.array(Image.open(logger.folder / line["file"]))


def of_torch(make: Callable[[Any], Any]) -> Any:
    torch = pytest.importorskip("torch")
    return make(torch)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (GREY, GREY),
        (GREY[None], GREY),
        (GREY[..., None], GREY),
        (RGB, RGB),
        (RGB.transpose(2, 0, 1), RGB),
        (RGB / 255, RGB),
        ((RGB / 255).astype(np.float32).transpose(2, 0, 1), RGB),
        (RGB.astype(np.int64), RGB),
        (GREY > 100, (GREY > 100) * np.uint8(255)),
        (GREY.tolist(), None),
        (Image.fromarray(RGB), RGB),
        (Image.fromarray(GREY), GREY),
        (lambda: RGB, RGB),
        (lambda: of_torch(lambda torch: torch.from_numpy(RGB).permute(2, 0, 1)), RGB),
        (lambda: of_torch(lambda torch: (torch.from_numpy(RGB) / 255).requires_grad_()), RGB),
        (lambda: of_torch(lambda torch: torch.ones(4, 5, dtype=torch.bfloat16)), np.full((4, 5), 255)),
    ],
)
def test_an_image_in_any_form_is_the_same_picture(logger: RunLogger, value: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(SightlineError, match="log_image 'a': is not an image"):
            logger.log_image("a", value)
        return
    logger.log_image("a", value, 3)
    (line,) = listed(logger)
    assert line == {"t": line["t"], "name": "a", "kind": "image", "step": 3, "file": "media/a/3.png"}
    rgb = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert np.array_equal(pixels(logger, line), rgb)


def test_a_path_is_read_and_a_later_change_is_not_seen(logger: RunLogger, tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "in.png")
    changing = RGB.copy()
    logger.log_image("path", tmp_path / "in.png")
    logger.log_image("text", str(tmp_path / "in.png"))
    logger.log_image("array", changing)
    (tmp_path / "in.png").unlink()
    changing[:] = 0
    assert all(np.array_equal(pixels(logger, line), RGB) for line in listed(logger))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "is not an image"),
        (None, "is not an image"),
        (np.zeros((2, 3, 4, 5)), r"has shape \(2, 3, 4, 5\)"),
        (np.zeros(4), r"has shape \(4,\)"),
        (np.zeros((4, 5, 6)), r"1 or 3 channels"),
        (np.zeros((0, 5)), "no pixels"),
        (np.array([["a"]]), "is of type ndarray"),
        ("missing.png", "missing.png is not there"),
        (__file__, "cannot be read as an image"),
    ],
)
def test_what_is_no_image_is_a_sentence_at_the_call(logger: RunLogger, value: Any, message: str) -> None:
    with pytest.raises(SightlineError, match=rf"^log_image 'a': .*{message}"):
        logger.log_image("a", value)
    assert not (logger.folder / "media.jsonl").exists()


def test_values_outside_0_to_1_are_cut_off_and_warned_of_once(
    logger: RunLogger, caplog: pytest.LogCaptureFixture
) -> None:
    for step in range(3):
        logger.log_image("normalised", np.array([[-2.0, 0.5, 3.0]]), step)
    assert pixels(logger, listed(logger)[0])[0, :, 0].tolist() == [0, 128, 255]
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("log_image 'normalised': its values reach from -2 to 3")


def test_boxes_masks_and_sheets_are_drawn(logger: RunLogger) -> None:
    black = np.zeros((240, 320, 3), np.uint8)
    logger.log_boxes("boxes", black, [[20, 60, 100, 160]], ["cat"], [0.75])
    logger.log_boxes("none", black, [])
    logger.log_masks(
        "map", black, np.pad(np.full((40, 60), 2), ((50, 150), (50, 210))), ["ground", "road", "tree"]
    )
    logger.log_masks("objects", black, np.ones((1, 240, 320), bool), ["car"])
    logger.log_images("sheet", np.stack([black, black, black]), ["a", "b", "c"])
    logger.log_images("grey", [GREY, GREY])
    with pytest.raises(SightlineError, match=r"the boxes have shape \(2, 2\)"):
        logger.log_boxes("a", black, [[1, 2], [3, 4]])
    with pytest.raises(SightlineError, match="it has 2 names or labels for 1"):
        logger.log_boxes("a", black, [[1, 2, 3, 4]], ["a", "b"])
    with pytest.raises(SightlineError, match="the scores are not numbers"):
        logger.log_boxes("a", black, [[1, 2, 3, 4]], ["a"], ["high"])
    with pytest.raises(SightlineError, match="it has 1 names or labels for 2"):
        logger.log_images("a", [GREY, GREY], ["a"])
    with pytest.raises(SightlineError, match="holds no image"):
        logger.log_images("a", [])
    lines = {line["name"]: line for line in listed(logger)}
    assert [line["kind"] for line in lines.values()] == [
        "boxes",
        "boxes",
        "masks",
        "masks",
        "images",
        "images",
    ]
    drawn = pixels(logger, lines["boxes"])
    edge, inside = drawn[100, 21], drawn[110, 60]
    assert edge.any()
    assert not inside.any()
    assert not pixels(logger, lines["none"]).any()
    tree = pixels(logger, lines["map"])[70, 80]
    assert tree.any()
    assert not pixels(logger, lines["map"])[200, 300].any()
    assert pixels(logger, lines["objects"])[120, 160].any()
    assert pixels(logger, lines["sheet"]).shape[1] > 640


def test_masks_of_another_size_are_said_and_training_goes_on(
    logger: RunLogger, caplog: pytest.LogCaptureFixture
) -> None:
    for step in range(2):
        logger.log_masks("a", RGB, np.zeros((3, 4), int), step=step)
    logger.log_image("b", RGB)
    assert [line["name"] for line in listed(logger)] == ["b"]
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == (
        "'a' at step 0 was not written: log_masks 'a': the masks are 4 x 3 pixels and the image 12 x 10; "
        "give both in one size."
    )


def test_a_confusion_matrix_is_a_picture_and_numbers(logger: RunLogger) -> None:
    logger.log_confusion_matrix("cm", [[3, 1], [0, 4]], ["cat", "dog"], 2)
    logger.log_confusion_matrix("large", np.eye(300), step=2)
    small, large = listed(logger)
    assert json.loads((logger.folder / small["data"]).read_text()) == {
        "class_names": ["cat", "dog"],
        "matrix": [[3, 1], [0, 4]],
    }
    assert pixels(logger, small).shape[2] == pixels(logger, large).shape[2] == 3
    for matrix, message in (
        ([[1, 2]], "give .classes, classes."),
        ([[1, 2], [3]], "differ in length"),
        ([[-1]], "below 0"),
        ([[float("nan")]], "below 0 or NaN"),
    ):
        with pytest.raises(SightlineError, match=message):
            logger.log_confusion_matrix("a", matrix)
    with pytest.raises(SightlineError, match="it has 1 names or labels for 2"):
        logger.log_confusion_matrix("a", np.eye(2), ["cat"])


def test_a_histogram_counts_finite_values(logger: RunLogger) -> None:
    logger.log_histogram("h", np.array([[0, 1, np.nan], [1, 2, np.inf]]), bins=2)
    logger.log_histogram("none", np.array([np.nan]))
    first, none = (json.loads((logger.folder / line["file"]).read_text()) for line in listed(logger))
    assert first == {"edges": [0, 1, 2], "counts": [1, 3]}
    assert sum(none["counts"]) == 0
    with pytest.raises(SightlineError, match="bins is 0"):
        logger.log_histogram("h", [1.0], bins=0)
    with pytest.raises(SightlineError, match="log_histogram 'h': is of type str"):
        logger.log_histogram("h", "text")


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        (pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}), None),
        ({"a": [1, 2], "b": ["x", "y"]}, None),
        ([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], None),
        ([[1, "x"], (2, "y")], ["a", "b"]),
        (lambda: pl.LazyFrame({"a": [1, 2], "b": ["x", "y"]}), None),
    ],
)
def test_a_table_in_any_form_is_the_same_frame(logger: RunLogger, value: Any, columns: Any) -> None:
    logger.log_table("t", value, 1, columns=columns)
    (line,) = listed(logger)
    assert pl.read_parquet(logger.folder / line["file"]).to_dict(as_series=False) == {
        "a": [1, 2],
        "b": ["x", "y"],
    }


@pytest.mark.parametrize("value", [[[1, 2]], 3, {"a": [1], "b": [1, 2]}, "text"])
def test_what_is_no_table_is_a_sentence(logger: RunLogger, value: Any) -> None:
    with pytest.raises(SightlineError, match=r"^log_table 't': .*[.;)]"):
        logger.log_table("t", value)


def test_a_video_can_be_played(logger: RunLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.data.video import read_frame

    frames = [np.full((31, 33, 3), 20 * number, np.uint8) for number in range(10)]  # odd sides
    logger.log_video("v", frames, fps=5, step=4)
    logger.log_video("sizes differ", [RGB, RGB[:5]])
    (line,) = listed(logger)
    assert read_frame(logger.folder / line["file"], 9).shape == (32, 34, 3)
    assert abs(int(read_frame(logger.folder / line["file"], 7).mean()) - 140) < 6
    with pytest.raises(SightlineError, match="fps is 0"):
        logger.log_video("v", frames, fps=0)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(SightlineError, match=r"pip install 'sightline\[video\]'"):
        logger.log_video("v", frames)


def test_entries_of_one_name_and_step_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for _ in range(2):  # also when the run is continued
        with RunLogger(folder=tmp_path) as logger:
            logger.log_text("a", "x", 1)
            logger.log_image("a", RGB, 1)
    lines = [json.loads(line) for line in (tmp_path / "media.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == [
        "media/a/1.txt",
        "media/a/1-2.png",
        "media/a/1-3.txt",
        "media/a/1-4.png",
    ]
    assert all((tmp_path / line["file"]).is_file() for line in lines)


@pytest.mark.parametrize("name", ["", " ", 3, "x" * 201])
def test_a_name_that_is_none_and_a_wrong_step_are_refused(logger: RunLogger, name: Any) -> None:
    with pytest.raises(SightlineError, match=r"^log_text .*: the name "):
        logger.log_text(name, "x")
    with pytest.raises(SightlineError, match=r"^log_text 'a': the step is negative"):
        logger.log_text("a", "x", -1)
    logger.close()
    with pytest.raises(SightlineError, match="log_text 'a': the run is closed"):
        logger.log_text("a", "x")


@given(st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=2, unique=True))
def test_names_make_paths_of_their_own_below_the_media(names: list[str]) -> None:
    one, other = (safe_name(name) for name in names)
    assert one.lower() != other.lower()
    for path in (one, other):
        assert not Path(path).is_absolute()
        assert ".." not in Path(path).parts
        assert path.isascii()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("val/images", "val/images"),
        ("../../etc", "etc-"),
        ("/a", "a-"),
        ("Größe 1", "Gr-e-1-"),
        ("..", "media-"),
    ],
)
def test_names_stay_readable(name: str, path: str) -> None:
    assert safe_name(name).startswith(path)
