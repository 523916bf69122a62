from pathlib import Path

import numpy as np
import pytest

from sightline.data import Bbox, Bitmask, Classification, Sample
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, WIDTH, write_picture


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
    with pytest.raises(SightlineError, match=r"a\.mp4: stored as 'video'"):
        Sample(file_path="a.mp4", height=1, width=1, storage_format="video").read_image()
