from pathlib import Path

import numpy as np
import pytest

from sightline.data.predictions import ClassMap, ClassScores, Detections
from sightline.data.primitives.drawing import class_colour
from sightline.data.video import Video
from sightline.deploy.files.drawing import Film, drawn

CLASSES = ["water", "land"]


def _has(picture: np.ndarray, name: str) -> bool:
    return bool((np.abs(picture.astype(int) - class_colour(name)).sum(axis=2) < 6).any())


def test_boxes_are_drawn_down_to_a_score() -> None:
    boxes = np.array([[40, 40, 200, 200], [220, 220, 290, 290]], dtype=np.float32)
    found = Detections(boxes, np.array([0.9, 0.2]), np.array([0, 1]), np.array([3, 4]))
    image = np.zeros((300, 300, 3), dtype=np.uint8)
    picture = drawn(image, found, CLASSES, 0.3)
    assert picture.shape == image.shape
    assert _has(picture, "water")
    assert not _has(picture, "land")
    assert _has(drawn(image, found, CLASSES, 0.1), "land")
    assert not image.any()


def test_maps_and_classes_are_drawn() -> None:
    image = np.zeros((260, 260, 3), dtype=np.uint8)
    classes = np.zeros((260, 260), dtype=np.uint8)
    classes[:, 130:] = 1
    picture = drawn(image, ClassMap(classes), CLASSES, 0.3)
    assert picture[200, 50].any()
    assert picture[200, 200].any()
    assert (picture[200, 50] != picture[200, 200]).any()
    assert _has(drawn(image, ClassScores(np.array([0.1, 0.9])), CLASSES, 0.3), "land")


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("bands", [1, 2, 4])
def test_images_of_any_bands_are_shown(dtype: type, bands: int) -> None:
    image = np.zeros((250, 250, bands), dtype=dtype)
    image[:10] = 5000
    picture = drawn(image, ClassScores(np.array([0.1, 0.9])), CLASSES, 0.3)
    assert picture.dtype == np.uint8
    assert (picture[5, 200:] == 255).all()


def test_a_film_keeps_its_times_and_appears_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "film.mp4"
    film = Film(path, 10)
    for seconds in (2.0, 2.1, 2.5):
        film.add(np.full((49, 65, 3), 100, dtype=np.uint8), seconds)
    assert not path.exists()
    film.finish()
    video = Video(path)
    assert video.times().tolist() == pytest.approx([0, 0.1, 0.5])
    assert video.frame(0).shape == (48, 64, 3)
    video.close()
    assert [one.name for one in path.parent.iterdir()] == ["film.mp4"]


def test_a_film_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    film = Film(tmp_path / "film.mp4", 10)
    film.add(np.zeros((48, 64, 3), dtype=np.uint8), 0)
    film.give_up()
    assert list(tmp_path.iterdir()) == []
