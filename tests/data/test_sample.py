from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import Bbox, Bitmask, Classification, Sample
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, WIDTH, write_picture
from tests.data.films import number_in, write_video


def test_small_pictures_are_enlarged_to_be_read(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png")
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[3:6, 4:8] = True
    sample = Sample(
        file_path=str(path),
        height=HEIGHT,
        width=WIDTH,
        classifications=[Classification(class_name="cat"), Classification(class_name="dog", task_name="b")],
        bboxes=[Bbox(top_left_x=0.2, top_left_y=0.2, width=0.5, height=0.5, class_name="x")],
        bitmasks=[Bitmask.from_mask(mask, class_name="y")],
    )
    drawn = sample.draw_annotations()
    assert drawn.dtype == np.uint8
    assert drawn.shape == (240, 320, 3)
    assert sample.draw_annotations(scale=1).shape == (HEIGHT, WIDTH, 3)
    assert (drawn == sample.draw_annotations()).all()


def test_drawing_leaves_the_given_image_alone(tmp_path: Path) -> None:
    sample = Sample(file_path=None, height=300, width=300, classifications=[Classification(class_name="cat")])
    grey = np.zeros((300, 300), dtype=np.uint8)
    assert sample.draw_annotations(grey).any()
    assert not grey.any()


def test_what_cannot_be_read_is_one_sentence() -> None:
    with pytest.raises(SightlineError, match="sample 7 has no file_path"):
        Sample(file_path=None, height=1, width=1, sample_index=7).read_image()
    with pytest.raises(SightlineError, match=r"a\.zip: stored as 'zip'"):
        Sample(file_path="a.zip", height=1, width=1, storage_format="zip").read_image()


def test_samples_of_videos_and_rasters_give_all_bands(tmp_path: Path) -> None:
    film = write_video(tmp_path / "a.mp4", 5)
    frame = Sample(file_path=str(film), height=48, width=64, storage_format="video", collection_index=3)
    assert number_in(frame.read_image()) == 3
    assert (frame.read_bands([3, 1]) == frame.read_image()[..., [2, 0]]).all()
    assert frame.read_valid().all()
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sample = Sample(file_path=str(tmp_path / "a.png"), height=4, width=6)
    assert (sample.read_bands()[..., 0] == pixels).all()
    assert sample.read_bands([1]).dtype == np.uint16
    with pytest.raises(SightlineError, match=r"a\.png: band 2 was asked for"):
        sample.read_bands([2])
    with pytest.raises(SightlineError, match="has no file_path"):
        Sample(file_path=None, height=1, width=1).read_bands()


def test_transparent_pixels_are_not_valid(tmp_path: Path) -> None:
    pixels = np.full((4, 6, 4), 255, dtype=np.uint8)
    pixels[1, 2, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    valid = Sample(file_path=str(tmp_path / "a.png"), height=4, width=6).read_valid()
    assert valid.sum() == 23
    assert not valid[1, 2]
